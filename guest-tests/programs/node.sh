# nodejs with its JIT: a script of many small parts.
# test: timeout=120
node - <<'EOF'
const crypto = require('crypto'), fs = require('fs'), zlib = require('zlib'), { execSync, spawn } = require('child_process'), net = require('net'), { Worker } = require('worker_threads'), assert = require('assert'), { promisify } = require('util');
const section = (n) => console.log('--- ' + n);
section('numbers');
console.log(0.1 + 0.2, 2 ** 53 + 1, -7 % 3, 5 / 2 | 0, 1 << 31, 1 >>> 0, -1 >>> 0, Math.sqrt(2), Math.fround(0.1), Math.clz32(77), Math.imul(65537, 65537), (255).toString(2), parseInt('ff', 16), Number.MAX_SAFE_INTEGER, 1e21, 1 / 3, NaN === NaN, Object.is(-0, 0), ~~-5.7, Math.round(-2.5), Math.hypot(3, 4));
console.log(2n ** 200n, (-7n) / 2n, BigInt.asIntN(8, 255n), [1e-7, 123456789012345680000, 5e-324, 1.7976931348623157e308].join(' '));
const s = [Math.sin, Math.cos, Math.exp, Math.log, Math.tan, Math.atan].map((f) => f(1.234).toPrecision(12)); console.log(s.join(' '));
section('hot loops');
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); } console.log(fib(25));
let h = 1; for (let i = 0; i < 2000000; i++) h = (Math.imul(h, 31) + (i ^ (h >>> 7))) | 0; console.log(h);
const f64 = new Float64Array(1000); for (let k = 0; k < 200; k++) for (let i = 0; i < 1000; i++) f64[i] = f64[i] * 0.5 + i * k; console.log(f64.reduce((a, b) => a + b).toFixed(6));
class P { constructor(x) { this.x = x; } get dbl() { return this.x * 2; } add(o) { return new P(this.x + o.x); } } class Q extends P { add(o) { return super.add(o).add(new P(1)); } }
let p = new Q(0); for (let i = 0; i < 100000; i++) p = new Q(p.add(i % 3 ? new P(i) : new Q(i)).x); console.log(p.dbl);
const o = {}; for (let i = 0; i < 50000; i++) o['k' + (i * 7919) % 1000] = (o['k' + (i * 7919) % 1000] || 0) + i; console.log(Object.keys(o).length, o.k5);
const primes = []; outer: for (let i = 2; primes.length < 1000; i++) { for (const q of primes) { if (q * q > i) break; if (i % q === 0) continue outer; } primes.push(i); } console.log(primes[999]);
section('language');
const { a, ...rest } = { a: 1, b: 2, c: 3 }; console.log(a, rest, [...'héllo'].length, `t${1 + 1}`, [3, 1, 2].sort(), [10, 9, 1].sort(), [[1, [2, [3]]]].flat(Infinity), new Set([1, 1, 2]).size, [1, 2, 3].includes(2), null ?? 'd', rest?.z?.y);
function* gen() { let x = yield 1; try { yield x * 2; } finally { console.log('closed'); } } const g = gen(); console.log(g.next(), g.next(21), g.return(5));
try { null.x; } catch (e) { console.log(e.constructor.name); } try { (function f() { f(); })(); } catch (e) { console.log(e instanceof RangeError); }
const px = new Proxy({}, { get: (t, k) => k.toString() + '!' }); console.log(px.hey, Reflect.ownKeys({ x: 1, [Symbol.for('s')]: 2 }).length, new Map([[{}, 1]]).size, Symbol('q').toString(), typeof 1n, [..."ab"].entries().next());
console.log('aBcD'.replace(/[A-Z]/g, (c) => '_' + c.toLowerCase()), /(?<y>\d{4})-(?<m>\d\d)/u.exec('on 2024-05-06').groups.m, 'a-b-c'.split('-'), 'x'.padStart(3, '.'), JSON.stringify({ d: new Date(0), u: undefined, n: [NaN] }), /^(?:a+)+$/.test('aaaa'), 'abc'.at(-1), '😀'.codePointAt(0));
section('library');
console.log(crypto.createHash('sha256').update('abc').digest('hex').slice(0, 16), crypto.createHmac('md5', 'k').update('d').digest('hex'), Buffer.from('hello').toString('base64'), zlib.gunzipSync(zlib.gzipSync('x'.repeat(10000))).length, crypto.pbkdf2Sync('p', 's', 1000, 16, 'sha1').toString('hex'), zlib.brotliDecompressSync(zlib.brotliCompressSync('abc')).toString());
fs.writeFileSync('f.txt', 'line1\nline2\n'); console.log(fs.readFileSync('f.txt', 'utf8').split('\n').length, fs.statSync('f.txt').size, fs.readdirSync('.').includes('f.txt'), execSync('echo child; exit 0').toString().trim());
const wasm = new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 32, 1, 106, 11])); console.log(new WebAssembly.Instance(wasm).exports.add(40, 2));
const view = new DataView(new ArrayBuffer(16)); view.setFloat32(0, 1.5); view.setBigInt64(8, -5n, true); console.log(view.getUint32(0).toString(16), view.getUint8(8)); const sab = new SharedArrayBuffer(8), ia = new Int32Array(sab);
(async () => {
  section('async');
  await new Promise((r) => setTimeout(r, 5)); console.log(await Promise.all([1, 2, 3].map(async (x) => { await null; return x * x; })), await Promise.race([new Promise((r) => setTimeout(r, 50, 'slow')), 'fast']), (await Promise.allSettled([Promise.reject(1)]))[0].status);
  console.log(await new Promise((res) => { const srv = net.createServer((c) => c.on('data', (d) => c.end(d.toString().toUpperCase()))).listen(0, '127.0.0.1', () => { let got = ''; net.connect(srv.address().port, '127.0.0.1').on('data', (d) => { got += d; }).on('close', () => { srv.close(); res(got); }).write('over tcp'); }); }));
  console.log(await new Promise((res) => { const c = spawn('sh', ['-c', 'read x; echo "got $x"; exit 3']); let t = ''; c.stdout.on('data', (d) => { t += d; }); c.on('close', (code) => res([t.trim(), code])); c.stdin.end('input\n'); }));
  const workers = [0, 1, 2, 3].map(() => new Promise((res) => new Worker('const { workerData: d, parentPort: p } = require("worker_threads"); const a = new Int32Array(d); for (let i = 0; i < 10000; i++) Atomics.add(a, 0, 1); p.postMessage("done");', { eval: true, workerData: sab }).on('message', res))); console.log((await Promise.all(workers)).join(), ia[0]);
  console.log((await promisify(fs.readFile)('f.txt')).length); process.on('SIGUSR2', () => { console.log('signal'); process.exit(0); }); setTimeout(() => {}, 5000); process.kill(process.pid, 'SIGUSR2');
})();
EOF
