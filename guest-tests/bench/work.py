# Objects, dictionaries, strings, comprehensions, big numbers.
class P:
    __slots__ = ("a", "b")

    def __init__(self, a, b):
        self.a, self.b = a, b

    def f(self, x):
        return self.a * x + self.b


def queens(n, row=0, cols=0, d1=0, d2=0):
    if row == n:
        return 1
    total, free = 0, ~(cols | d1 | d2) & ((1 << n) - 1)
    while free:
        bit = free & -free
        free ^= bit
        total += queens(n, row + 1, cols | bit, (d1 | bit) << 1, (d2 | bit) >> 1)
    return total


words = {}
s = 12345
for i in range(150000):
    s = (s * 1103515245 + 12345) & 0x7FFFFFFF
    w = "w%d" % (s % 1000)
    words[w] = words.get(w, 0) + 1
ps = [P(i, i + 1) for i in range(100)]
t = sum(p.f(k) for k in range(1500) for p in ps)
big = 1
for i in range(1, 1200):
    big *= i
text = ",".join(sorted(words))
print(len(words), t, queens(8), len(str(big)), hash(len(text)), sum(x * 0.5 for x in range(200000)))
