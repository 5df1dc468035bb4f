#!/bin/sh
# Lays a base backup into an empty folder and tells PostgreSQL until when to go on from there:
#   restore.sh --into /var/lib/postgresql/18/docker --until '2026-11-22 14:03:00+08:00' [--base 20261122T190000Z]
# Without --until: to the last file of the archive. With --drill: beside a server that still lives, so it archives nothing. The server is started by whoever called; it opens when it is there.
set -eu
umask 077

home=${BACKUP_HOME:-/backup}
here=$(cd "$(dirname "$0")" && pwd)
into='' until='' base='' drill=no
while [ $# -gt 0 ]; do
    case $1 in
    --into) into=${2:?}; shift 2 ;;
    --until) until=${2:?}; shift 2 ;;
    --base) base=${2:?}; shift 2 ;;
    --drill) drill=yes; shift ;;
    *) echo "restore: what is $1?" >&2; exit 2 ;;
    esac
done
[ -n "$into" ] || { echo "restore: --into which folder?" >&2; exit 2; }
# No zone, no restore: the server's own could be eight hours from what whoever typed it meant.
case $until in
'' | *+[0-9][0-9] | *+[0-9][0-9]:[0-9][0-9] | *Z) ;;
*) echo "restore: say the zone too, such as '$until+08:00'" >&2; exit 2 ;;
esac
case $until in *\'* | *\\*) echo "restore: not a time: $until" >&2; exit 2 ;; esac
if [ -e "$into" ] && [ -n "$(ls -A "$into")" ]; then
    echo "restore: $into is not empty; move aside what is there, it may be needed yet" >&2
    exit 1
fi

if [ -z "$base" ]; then
    # The newest that was finished before the wanted moment; each says its own end.
    wanted=$(date -u -d "${until:-now}" +%s) || exit 2
    for each in "$home"/base/[0-9]*Z; do
        if [ -d "$each" ] && [ -s "$each.finished" ] && [ "$(cat "$each.finished")" -le "$wanted" ]; then base=$(basename "$each"); fi
    done
    [ -n "$base" ] || { echo "restore: no base backup was finished before ${until:-now}" >&2; exit 1; }
fi
[ -d "$home/base/$base" ] || { echo "restore: there is no base backup $base" >&2; exit 1; }

pg_verifybackup --quiet "$home/base/$base"
mkdir -p "$into"
cp -R -p "$home/base/$base/." "$into/"
chmod 700 "$into"
# The first server's settings came with the base, and with them where it archives. What it writes from now on is another timeline, with
# names of its own. Two servers that were restored from one archive would both write that one: hence --drill.
{
    echo
    echo "# restore.sh, $(date -u +%Y-%m-%dT%H:%M:%SZ)"
    echo "restore_command = 'BACKUP_HOME=\"$home\" \"$here/restore-wal.sh\" \"%f\" \"%p\"'"
    echo "recovery_target_timeline = 'latest'"
    # Open at once: nobody pays before the processes are started, and those are started by a person.
    echo "recovery_target_action = 'promote'"
    if [ "$drill" = yes ]; then echo "archive_mode = off"; fi
    if [ -n "$until" ]; then echo "recovery_target_time = '$until'"; fi
} >> "$into/postgresql.auto.conf"
touch "$into/recovery.signal"
echo "restore: $base lies in $into${until:+, to be played until $until}; start the server"
