CREATE TABLE t(id INTEGER PRIMARY KEY, k INTEGER, name TEXT, v REAL);
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 50000)
INSERT INTO t SELECT i, (i * 7919) % 5003, 'name' || (i % 1000), i * 0.25 FROM c;
CREATE INDEX tk ON t(k);
CREATE INDEX tn ON t(name);
SELECT count(*), sum(v) FROM t WHERE k BETWEEN 100 AND 2000;
SELECT name, count(*), avg(v) FROM t GROUP BY name ORDER BY avg(v) DESC LIMIT 5;
SELECT count(*) FROM t a JOIN t b ON a.k = b.id WHERE b.name LIKE 'name1%';
UPDATE t SET v = v * 2 WHERE k % 3 = 0;
DELETE FROM t WHERE id % 5 = 0;
SELECT count(*), round(sum(v), 2), max(k), min(length(name)) FROM t;
SELECT sum(x) FROM (SELECT row_number() OVER (PARTITION BY name ORDER BY v) AS x FROM t WHERE id < 30000);
