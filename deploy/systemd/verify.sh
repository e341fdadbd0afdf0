#!/bin/sh
# Check the units with systemd's own tools, in a root of their own: nothing is installed or started.
#   deploy/systemd/verify.sh        ends with 1 where a unit does not fit or is less closed than it should be
set -eu
cd "$(dirname "$0")"
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
units=$root/etc/systemd/system
mkdir -p "$units" "$root/usr/lib/systemd" "$root/opt/countersign/.venv/bin" "$root/bin"
cp -r ./*.service ./*.target ./*.d "$units/"
cp -r /lib/systemd/system "$root/usr/lib/systemd/"
for program in /opt/countersign/.venv/bin/python /bin/sh; do
    printf '#!/bin/sh\n' >"$root$program"
    chmod +x "$root$program"
done
wrong=0
for unit in countersign.target countersign-migrate.service countersign-web@8001.service \
    countersign-worker@resumes.service countersign-worker@runs.service countersign-worker@background.service countersign-scheduler.service; do
    said=$(systemd-analyze verify --root="$root" --man=no "$units/$unit" 2>&1 | grep -i countersign || true)
    if [ -n "$said" ]; then
        printf '%s\n' "$said"
        wrong=1
    fi
    case $unit in *.service)
        # A threshold of 15 is an exposure of 1.5 of 10.
        systemd-analyze security --offline=true --root="$root" --threshold=15 "$unit" 2>&1 | tail -n 1 || wrong=1
        systemd-analyze security --offline=true --root="$root" --threshold=15 "$unit" >/dev/null 2>&1 || wrong=1
        ;;
    esac
done
# Folders, with accounts that this root alone knows.
mkdir -p "$root/etc/tmpfiles.d"
printf 'root:x:0:0::/root:/bin/sh\ncountersign:x:991:991::/:/bin/false\ncountersign-sealer:x:992:992::/:/bin/false\n' >"$root/etc/passwd"
printf 'root:x:0:\ncountersign:x:991:\ncountersign-sealer:x:992:\n' >"$root/etc/group"
cp countersign.tmpfiles "$root/etc/tmpfiles.d/countersign.conf"
if [ "$(id -u)" = 0 ]; then
    systemd-tmpfiles --root="$root" --create countersign.conf || wrong=1
    find "$root/etc/countersign" "$root/var/lib" -mindepth 1 -printf '→ /%P %m %U:%G\n' 2>/dev/null || true
fi
exit $wrong
