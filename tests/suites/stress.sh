#!/bin/bash
# stress-ng: each stressor of the class "filesystem", two seconds, results verified.
set -eu

run() {
    local stressor out code
    for stressor in $(stress-ng --class 'filesystem?' 2>&1 | sed 's/.*: //'); do
        mkdir "$2/$stressor"
        code=0
        out=$(cd "$2/$stressor" && timeout 120 stress-ng --"$stressor" 1 --timeout 2 --verify \
            --temp-path "$2/$stressor" 2>&1) || code=$?
        case $code-$out in
            0-*skipping*) echo "skip $stressor" ;;
            0-*) echo "ok $stressor" ;;
            *) echo "fail $stressor" ;;
        esac
        rm -rf "${2:?}/$stressor"
    done
}

case $1 in
    prepare) ;;
    run) run "$2" "$3" ;;
esac
