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
section('structures');
class Heap {
  constructor(less) {
    this.less = less;
    this.items = [];
  }
  push(x) {
    const a = this.items;
    a.push(x);
    for (let i = a.length - 1, up; i > 0 && this.less(a[i], a[up = (i - 1) >> 1]); i = up) {
      [a[i], a[up]] = [a[up], a[i]];
    }
  }
  pop() {
    const a = this.items, top = a[0], last = a.pop();
    if (a.length > 0) {
      a[0] = last;
      for (let i = 0; ;) {
        let child = 2 * i + 1;
        if (child >= a.length) break;
        if (child + 1 < a.length && this.less(a[child + 1], a[child])) child++;
        if (!this.less(a[child], a[i])) break;
        [a[i], a[child]] = [a[child], a[i]];
        i = child;
      }
    }
    return top;
  }
}
const heap = new Heap((x, y) => x < y);
let lcg = 12345;
const random = () => (lcg = (Math.imul(lcg, 1103515245) + 12345) & 0x7fffffff);
for (let i = 0; i < 20000; i++) heap.push(random() % 1000000);
let previous = -1, sorted = true;
while (heap.items.length) {
  const x = heap.pop();
  sorted = sorted && x >= previous;
  previous = x;
}
console.log('heap', sorted, previous);
const graph = new Map();
for (let i = 0; i < 2000; i++) {
  graph.set(i, [(i * 7 + 1) % 2000, (i * 13 + 5) % 2000, (i + 1) % 2000]);
}
const distance = new Map([[0, 0]]), queue = [0];
while (queue.length) {
  const at = queue.shift();
  for (const next of graph.get(at)) {
    if (!distance.has(next)) {
      distance.set(next, distance.get(at) + 1);
      queue.push(next);
    }
  }
}
console.log('graph', distance.size, Math.max(...distance.values()));
const memo = new Map();
function ways(n, coins) {
  if (n === 0) return 1;
  if (n < 0 || coins.length === 0) return 0;
  const key = `${n},${coins.length}`;
  if (!memo.has(key)) {
    memo.set(key, ways(n - coins[0], coins) + ways(n, coins.slice(1)));
  }
  return memo.get(key);
}
console.log('ways', ways(300, [50, 25, 10, 5, 1]));
const matrix = (n, f) => Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => f(i, j)));
const multiply = (x, y) => matrix(x.length, (i, j) => x[i].reduce((sum, v, k) => sum + v * y[k][j], 0));
let product = matrix(40, (i, j) => (i * j) % 7);
for (let k = 0; k < 3; k++) {
  product = multiply(product, matrix(40, (i, j) => (i + j + k) % 5));
}
console.log('matrix', product.flat().reduce((x, y) => (x + y) % 1000003));
const tree = { value: 1000, left: null, right: null };
for (let i = 0; i < 5000; i++) {
  let node = tree;
  const value = random() % 2000;
  for (;;) {
    const side = value < node.value ? 'left' : 'right';
    if (!node[side]) {
      node[side] = { value, left: null, right: null };
      break;
    }
    node = node[side];
  }
}
function* walk(node) {
  if (!node) return;
  yield* walk(node.left);
  yield node.value;
  yield* walk(node.right);
}
const inOrder = [...walk(tree)];
console.log('tree', inOrder.length, inOrder.every((x, i) => i === 0 || inOrder[i - 1] <= x));
const depth = (node) => node ? 1 + Math.max(depth(node.left), depth(node.right)) : 0;
console.log('depth', depth(tree) > 10);
const bits = new Uint32Array(1 << 12);
for (let i = 0; i < 100000; i++) {
  const bit = (random() >>> 4) % (bits.length * 32);
  bits[bit >>> 5] ^= 1 << (bit & 31);
}
let ones = 0;
for (let word of bits) {
  for (; word; word &= word - 1) ones++;
}
console.log('bits', ones);
function parse(text) {
  let at = 0;
  const primary = () => {
    if (text[at] === '(') {
      at++;
      const value = sum();
      at++;
      return value;
    }
    const start = at;
    while (/[0-9.]/.test(text[at] ?? '')) at++;
    return Number(text.slice(start, at));
  };
  const term = () => {
    let value = primary();
    while (text[at] === '*' || text[at] === '/') {
      value = text[at++] === '*' ? value * primary() : value / primary();
    }
    return value;
  };
  const sum = () => {
    let value = term();
    while (text[at] === '+' || text[at] === '-') {
      value = text[at++] === '+' ? value + term() : value - term();
    }
    return value;
  };
  return sum();
}
console.log('parse', parse('2*(3+4)-10/4'), parse('((1.5+2.5)*2)'));
const life = (cells) => {
  const next = new Set(), seen = new Map();
  for (const cell of cells) {
    const [x, y] = cell.split(',').map(Number);
    for (let dx = -1; dx <= 1; dx++) {
      for (let dy = -1; dy <= 1; dy++) {
        if (dx || dy) {
          const key = `${x + dx},${y + dy}`;
          seen.set(key, (seen.get(key) ?? 0) + 1);
        }
      }
    }
  }
  for (const [cell, count] of seen) {
    if (count === 3 || (count === 2 && cells.has(cell))) next.add(cell);
  }
  return next;
};
let cells = new Set(['1,0', '2,1', '0,2', '1,2', '2,2', '10,10', '10,11', '10,12']);
for (let i = 0; i < 40; i++) cells = life(cells);
console.log('life', [...cells].sort().join(' '));
const { EventEmitter } = require('events');
const emitter = new EventEmitter();
const heard = [];
emitter.on('x', (v) => heard.push(v));
emitter.once('x', (v) => heard.push(-v));
for (let i = 1; i < 4; i++) emitter.emit('x', i);
console.log('events', heard.join());
const path = require('path'), url = require('url'), util = require('util'), os = require('os');
console.log(path.join('/a', '../b', './c.txt'), path.extname('x.tar.gz'), new url.URL('http://h:80/p?q=1#f').search);
console.log(util.format('%s %d %j', 'a', 1.5, { b: [1] }), util.inspect({ a: { b: { c: {} } }, m: new Map([[1, 2]]) }));
console.log(os.EOL === '\n', os.endianness(), typeof os.cpus().length);
console.log([5, 1, 10].sort((x, y) => x - y), [1, 2, 3, 4].findLast((x) => x % 2), Array.from('abc', (c) => c + c));
console.log(new Date(Date.UTC(2024, 1, 29)).toISOString(), new Date(0).getTimezoneOffset());
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
