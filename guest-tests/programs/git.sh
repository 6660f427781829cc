# git: commits, branches, merges, clone, gc, fsck. FULL makes 500 commits.
# test: timeout=300
set -eu
export HOME=$PWD GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=c GIT_COMMITTER_EMAIL=c@d GIT_CONFIG_NOSYSTEM=1
n=40; [ -z "${FULL:-}" ] || n=500
git init -q -b main repo; cd repo
for i in $(seq 1 $n); do
    seq 1 $(( i * 3 % 200 )) > "f$(( i % 10 ))"; echo $i >> log
    git add -A; GIT_AUTHOR_DATE="@$(( 1000000000 + i )) +0000" GIT_COMMITTER_DATE="@$(( 1000000000 + i )) +0000" git commit -q -m "commit $i"
    [ $i = 20 ] && git rev-parse HEAD
done
git rev-list HEAD~$(( n - 20 )) | wc -l; git log --format='%h %s' HEAD~$(( n - 20 )) | head -3; git show --stat HEAD~$(( n - 20 )) | tail -1
git checkout -q -b side HEAD~$(( n - 10 )); echo side > side; git add side; GIT_AUTHOR_DATE='@1 +0000' GIT_COMMITTER_DATE='@2 +0000' git commit -q -m side
git checkout -q main; git merge -q --no-edit side; git log --merges --oneline | wc -l; ls | tr '\n' ' '; echo
git blame -s log | head -2 | sed 's,[^ ]* *,,'; git diff HEAD~2 --shortstat | wc -l; git grep -c 7 -- f1 | wc -l; git tag -a v1 -m tag; git describe; git stash list | wc -l
git gc -q; git fsck --no-progress; git count-objects -v | grep in-pack | awk '{ print ($2 > 100) }'; cd ..
git clone -q repo clone; git clone -q "file://$PWD/repo" deep; cd deep; git log --oneline | wc -l | awk -v n=$n '{ print ($1 == n + 2) }'; git rev-parse HEAD~1 | wc -c
git archive HEAD | tar t | wc -l; git bundle create -q ../b.bundle main; git bundle verify -q ../b.bundle > /dev/null && echo bundle; git rebase -q HEAD~3 2>/dev/null; git status --short | wc -l
