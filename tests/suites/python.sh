#!/bin/bash
# CPython's own tests of files, names, links, times, locks, mappings and archives.
set -eu

TESTS="test_bz2 test_compileall test_dbm_dumb test_fcntl test_file test_filecmp test_fileinput
    test_fileio test_genericpath test_glob test_gzip test_io test_largefile test_mailbox test_mmap
    test_os test_pathlib test_posix test_posixpath test_py_compile test_shelve test_shutil test_stat
    test_tarfile test_tempfile test_unicode_file test_unicode_file_functions test_zipapp
    test_zipfile"

prepare() { # they have the version in their name
    apt-get install -y -q "lib$(basename "$(readlink /usr/bin/python3)")-testsuite" >/dev/null
}

run() {
    mkdir "$2/home"
    cd "$2/home"
    for test in $TESTS; do
        if HOME=$PWD TMPDIR=$PWD timeout 900 /usr/bin/python3 -m test --tempdir "$PWD" -u largefile \
            "$test" >"$test.out" 2>&1; then
            echo "ok $test"
        else
            echo "fail $test"
        fi
    done
}

case $1 in
    prepare) prepare ;;
    run) run "$2" "$3" ;;
esac
