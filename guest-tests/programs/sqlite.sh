# sqlite3: tables, indexes, transactions, full text, windows, JSON, a database file from two processes.
# test: timeout=60
sqlite3 file.db "PRAGMA journal_mode=WAL; CREATE TABLE t(id INTEGER PRIMARY KEY, k, name TEXT, v REAL);" > /dev/null
sqlite3 file.db <<'EOF'
BEGIN;
WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 20000) INSERT INTO t SELECT i, (i * 7919) % 5003, 'name' || (i % 100), i * 0.25 FROM c;
COMMIT;
CREATE INDEX tk ON t(k, name);
SELECT count(*), sum(v), avg(k), min(name), max(v) FROM t WHERE k BETWEEN 100 AND 900;
SELECT name, count(*) c, total(v) FROM t GROUP BY name HAVING c > 100 ORDER BY 3 DESC LIMIT 4;
SELECT a.id, b.id FROM t a JOIN t b ON a.k = b.id AND b.k < 20 ORDER BY 1 LIMIT 5;
SELECT id, sum(v) OVER (ORDER BY id ROWS 3 PRECEDING), rank() OVER (PARTITION BY name ORDER BY v DESC) FROM t WHERE id < 6;
SELECT json_extract('{"a":[1,{"b":2.5}]}', '$.a[1].b'), json_group_array(id) FROM t WHERE id < 5;
SELECT printf('%.15g|%e|%x', 1.0 / 3, 12345.678, 255), hex(zeroblob(4)), upper('abc'), substr('hello', 2, 3), round(2.567, 2), typeof(1e300 * 1e300);
SELECT date('2024-02-29', '+1 year'), strftime('%s', '2000-01-01'), julianday('2000-01-01');
UPDATE t SET v = -v WHERE id % 3 = 0; DELETE FROM t WHERE id % 7 = 0; SELECT changes(), total(v) FROM t;
PRAGMA integrity_check;
CREATE VIRTUAL TABLE f USING fts5(body); INSERT INTO f VALUES('the quick brown fox'), ('lazy dogs sleep'), ('quick dogs'); SELECT body FROM f WHERE f MATCH 'quick' ORDER BY rank;
EXPLAIN QUERY PLAN SELECT * FROM t WHERE k = 5;
EOF
for i in 1 2 3 4; do sqlite3 -cmd '.timeout 20000' file.db "INSERT INTO t(k) VALUES(-$i); SELECT 1;" & done | sort | uniq -c; wait
sqlite3 file.db "SELECT count(*) FROM t WHERE k < 0; VACUUM; PRAGMA integrity_check;"; sqlite3 file.db .dump | sqlite3 copy.db && sqlite3 copy.db 'SELECT count(*), total(k) FROM t'
sqlite3 -csv -header :memory: "SELECT 1 AS a, 'x,y' AS b UNION SELECT 2, NULL"; sqlite3 :memory: 'SELECT bad' 2>/dev/null || echo "error $?"
