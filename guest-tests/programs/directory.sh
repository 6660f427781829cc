# The working directory under -L: relative and absolute names see the same files, also in directories of the tree only.
# test: timeout=60 native=skip
for d in / /usr /usr/lib /etc /usr/bin; do cd $d && [ "$(ls)" = "$(ls $d)" ] && echo "$d same"; done
cd /usr/lib/python3.*/test/test_json && ls __init__.py && pwd | sed 's/3\.[0-9]*/3/' && cd .. && ls test_os.py
cd /usr/lib && head -n 1 python3.*/os.py | wc -l && cd python3.*/test && cat ../os.py | wc -l | grep -c '^1'
cd /usr/bin && ./env echo ran && [ -x ./sleep ] && command -v sleep
cd / && usr/bin/env echo relative && cat etc/hosts | head -n 1 && readlink bin
python3 -c 'import os; os.chdir("/usr"); print(sorted(os.listdir()) == sorted(os.listdir("/usr")), os.path.samefile("lib", "/usr/lib")); os.chdir("lib"); print(os.stat(".").st_ino == os.stat("/usr/lib").st_ino)'
cd "$PROGRAMS" && ls directory.sh; cd - > /dev/null && pwd
cd /tmp && echo written > "rel.$$" && cat "/tmp/rel.$$" "rel.$$" && rm "rel.$$"
cd /nowhere/at/all 2> /dev/null || echo refused; cd /etc/hosts 2> /dev/null || echo "no directory"
