# py-spy (Rust, static, from PyPI: `tests/setup.sh programs`) shows where a running python is: it reads another process's
# maps, program and memory.
# test: timeout=120 full=only native=skip only=aarch64
cat > loop.py <<'E'
import ctypes; ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_long(-1), 0, 0, 0)
open("started", "w").write("x")
def inner():
    while True: pass
def outer(): inner()
outer()
E
python3 loop.py & p=$!
until [ -s started ]; do sleep 0.05; done; sleep 1
"$TOOLS/py-spy" dump --pid $p | sed -n 's/^    \([a-z]*\) (loop.py:\([0-9]*\))$/\1 \2/p'; kill $p
