# python3: the language and its standard library in short.
# test: timeout=90
python3 - <<'EOF'
import asyncio, collections, concurrent.futures as cf, ctypes, datetime, decimal, fractions, functools, hashlib, heapq, io, itertools, json, math, multiprocessing, os, pickle, queue, random, re, select, signal, socket, sqlite3, statistics, string, struct, subprocess, sys, tempfile, threading, time, zlib, bz2, lzma, cmath, mmap
print(2**200, -7 // 2, -7 % 3, 0.1 + 0.2, 1e308 * 10, float('nan') != float('nan'), (3+4j) ** 2, round(2.5), hex(255), divmod(-17, 5))
print([x.hex() for x in (math.pi, math.exp(1), math.sin(1e6), math.gamma(5.5), math.erf(0.3), cmath.sqrt(-2).imag)], math.fsum([.1] * 10), math.isqrt(10**40))
print(struct.pack('<ihqdf5s', 1, -2, 3, 1.5, 2.5, b'abc').hex(), struct.unpack('>Hb', b'\x01\x02\xff'), int.from_bytes(b'\xff\x00', 'big'))
print(decimal.Decimal(1) / 7, fractions.Fraction(22, 7) - 3, statistics.stdev(range(10)), decimal.Decimal('1e-30').sqrt())
r = random.Random(5); print(r.random(), r.randint(0, 10**9), r.sample(range(100), 5), r.gauss(0, 1))
d = {'a': [1, 2.5, None, True], 'b': {'c': 'é\n'}}; print(json.dumps(d, sort_keys=True), json.loads(json.dumps(d)) == d, pickle.loads(pickle.dumps(d, 4)) == d)
data = b'the quick brown fox ' * 500
print([getattr(hashlib, h)(data).hexdigest()[:12] for h in ('md5', 'sha1', 'sha256', 'sha512', 'sha3_256', 'blake2b')], zlib.crc32(data), zlib.adler32(data))
print([len(c) > 0 and m.decompress(c) == data for m in (zlib, bz2, lzma) for c in [m.compress(data)]])
print(re.sub(r'(\w+) (\w+)', r'\2 \1', 'hello world foo bar'), re.findall(r'(?i)[aeiou]{2,}', 'queue Aeon beauty'), re.fullmatch(r'(a|b)*c', 'ababc') is not None)
print(datetime.datetime(2024, 2, 29, 12) + datetime.timedelta(days=366, seconds=1), datetime.date(2000, 1, 1).isocalendar(), time.strftime('%F', time.gmtime(0)))
print(sorted(collections.Counter('mississippi').items()), list(itertools.islice(itertools.permutations('abc'), 3)), functools.reduce(lambda a, b: a * b, range(1, 20)), heapq.nsmallest(3, [5, 1, 4, 2]))
c = sqlite3.connect(':memory:'); c.execute('create table t(a, b)'); c.executemany('insert into t values(?, ?)', ((i, str(i * i)) for i in range(1000))); print(c.execute('select sum(a), max(length(b)) from t where a % 7 = 3').fetchone())
q, total, lock = queue.Queue(), [0], threading.Lock()
def worker():
    while (x := q.get()) is not None:
        with lock: total[0] += x
ts = [threading.Thread(target=worker) for _ in range(8)]
for t in ts: t.start()
for i in range(2000): q.put(i)
for t in ts: q.put(None)
for t in ts: t.join()
print(total[0])
with cf.ThreadPoolExecutor(4) as ex: print(sum(ex.map(lambda x: x * x, range(100))))
print(subprocess.run(['sh', '-c', 'read x; echo got $x; exit 3'], input=b'hi\n', capture_output=True), subprocess.check_output(['echo', 'child']).decode().strip())
hits = []; signal.signal(signal.SIGALRM, lambda s, f: hits.append(s)); signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01); 
while len(hits) < 3: time.sleep(0.05)
signal.setitimer(signal.ITIMER_REAL, 0); print(hits[:3])
a, b = socket.socketpair(); a.sendall(b'ping'); print(b.recv(10), select.select([a], [b], [], 0.01)[1] == [b])
async def main():
    async def job(n): await asyncio.sleep(0.001 * n); return n
    s = await asyncio.start_server(lambda r, w: (w.write(b'served'), w.close()), '127.0.0.1', 0)
    r, w = await asyncio.open_connection(*s.sockets[0].getsockname()); got = await r.read()
    p = await asyncio.create_subprocess_exec('echo', 'async', stdout=subprocess.PIPE); out, _ = await p.communicate()
    return await asyncio.gather(*(job(n) for n in (3, 1, 2))), got, out
print(asyncio.run(main()))
ctx = multiprocessing.get_context('fork')
with ctx.Pool(2) as p: print(p.map(math.factorial, [5, 6, 7]))
pid = os.fork()
if pid == 0: os._exit(9)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
with tempfile.TemporaryFile() as f:
    f.write(b'x' * 5000); f.flush(); m = mmap.mmap(f.fileno(), 0); m[10:13] = b'abc'; print(m.find(b'abc'), len(m)); m.close()
libc = ctypes.CDLL(None); libc.strtod.restype = ctypes.c_double; print(libc.strtod(b'2.5', None), libc.abs(-5)); CB = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int)); arr = (ctypes.c_int * 5)(5, 3, 1, 4, 2); libc.qsort(arr, 5, 4, CB(lambda x, y: x[0] - y[0])); print(list(arr))
def deep(n): return 0 if n == 0 else 1 + deep(n - 1)
print(deep(900)); 
try: deep(10**6)
except RecursionError as e: print('recursion')
try: {}['x']
except KeyError as e: print('key', e)
print(eval('sum(i * i for i in range(1000))'), [*map(str, range(3))], f'{1234567.891:,.2f}|{"x":>5}|{255:#b}', 'ñ'.encode(), ''.join(sorted('hello')))
print(sum(1 for i in range(2, 5000) if all(i % k for k in range(2, int(i**.5) + 1))))
EOF
