#!/bin/bash
# The tests of acl and attr: every command and what it must print.
# acl.sh prepare BUILD | acl.sh run BUILD DIR
set -eu

run() {
    local build=$1 suite test out
    for suite in acl attr; do
        mkdir "$2/$suite"
        cd "$2/$suite"
        for test in "$build/$suite"/test/*.test "$build/$suite"/test/root/*.test; do
            mkdir work
            cp "$build/$suite"/test/{make-tree,malformed*,sort-*} work/ 2>/dev/null || true
            cd work
            out=$(TUSER=root TGROUP=root perl "$build/$suite/test/run" "$test" 2>&1) || true
            # A line for each command: what differs from plain is seen command by command.
            echo "$out" | sed -n "s#^\[\([0-9]*\)\].* -- \(ok\|failed\)\$#\2 $suite/$(basename "$test"):\1#p" |
                sed 's/^failed/fail/'
            cd ..
            chmod -R u+rwx work
            rm -rf work
        done
    done
}

case $1 in
    prepare) ;;
    run) run "$2" "$3" ;;
esac
