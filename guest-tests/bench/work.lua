-- Tables, closures, strings, floating point.
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
local t, s = {}, 1
for i = 1, 200000 do s = (s * 16807) % 2147483647; t[i] = s end
table.sort(t)
local words = {}
for i = 1, 100000 do local w = "k" .. (t[i] % 997); words[w] = (words[w] or 0) + 1 end
local x = 0.0
for i = 1, 2500000 do x = x + 1.0 / (i * i) end
local parts = {}
for i = 1, 20000 do parts[#parts + 1] = string.format("%05d", i):gsub("0", "o") end
print(fib(25), t[1], t[#t], words.k5, string.format("%.10f", x), #table.concat(parts))
