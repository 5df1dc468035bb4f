#!/bin/sh
# Whether what is there can be restored: each base against its manifest, and the log without a gap from the oldest base on.
# It reads everything, so run it once a week; and restore for real now and then (docs/how-to/restore-from-backup.md).
set -eu

home=${BACKUP_HOME:-/backup}
failed=0
found=0
for base in "$home"/base/[0-9]*Z; do
    [ -d "$base" ] || continue
    found=$((found + 1))
    if pg_verifybackup --quiet "$base"; then
        echo "verify: $(basename "$base") is whole"
    else
        echo "verify: $(basename "$base") is damaged" >&2
        failed=1
    fi
done
[ "$found" -gt 0 ] || { echo "verify: no base backup in $home/base" >&2; exit 1; }

# 00000001 0000000A 000000FF: the timeline, and the number of the file in two parts, of which the second ends at FF (files of 16 MB).
gaps=$(find "$home/wal" -maxdepth 1 -type f -name '????????????????????????' | sed 's|.*/||' | grep -E '^[0-9A-F]{24}$' | sort | awk '
    function hex(text,    at, sum) {
        for (at = 1; at <= length(text); at++) sum = sum * 16 + index("0123456789ABCDEF", substr(text, at, 1)) - 1
        return sum
    }
    {
        line = substr($0, 1, 8); number = hex(substr($0, 9, 8)) * 256 + hex(substr($0, 17, 8))
        # A new timeline begins where the old one was left, with a file of the same number or an earlier one.
        if (NR > 1 && line == was_line && number != was + 1) print was_name " is followed by " $0
        was = number; was_line = line; was_name = $0
    }')
if [ -n "$gaps" ]; then
    echo "verify: the log has gaps: $gaps" >&2
    failed=1
fi
[ "$failed" = 0 ] && echo "verify: $found base backups are whole, and the log has no gap"
exit "$failed"
