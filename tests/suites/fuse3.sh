#!/bin/bash
# libfuse's test_syscalls: what a file system of FUSE is asked first.
set -eu

prepare() {
    cd "$1/fuse3/test"
    touch fuse_config.h
    gcc -O1 -w -D_GNU_SOURCE -I. -o "$1/test_syscalls" test_syscalls.c
}

run() {
    mkdir "$2/syscalls"
    "$1/test_syscalls" "$2/syscalls" 2>&1 | sed -n 's/^\(.*\) OK$/ok \1/p; s/^\(.*\) FAILED$/fail \1/p' |
        sort | uniq
}

case $1 in
    prepare) prepare "$2" ;;
    run) run "$2" "$3" ;;
esac
