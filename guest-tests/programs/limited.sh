# Everything in an address space of 8 GiB, as in a container without overcommit.
# test: timeout=90 limit=8388608
python3 -c 'import threading; x = [bytearray(1 << 20) for _ in range(50)]; t = [threading.Thread(target=lambda: None) for _ in range(20)]; [a.start() for a in t]; [a.join() for a in t]; print(len(x))'
perl -e 'my @a = (1) x 500000; print scalar(@a), "\n"'; echo 'int main(void){return 42;}' > a.c; gcc a.c -o a && ./a; echo $?; seq 1 1000 | sort -rn | head -1; sqlite3 :memory: 'SELECT 6*7'; ulimit -v
