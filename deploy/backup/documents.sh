#!/bin/sh
# A copy of the pictures (CANBAO_DOCUMENTS_URL=file:///…) of today, beside those of the days before; unchanged ones take no more room.
# They are sealed: without the keys nobody sees them. In a bucket, let the bucket keep versions instead.
#   documents.sh /var/lib/canbao/documents
# What was erased here goes from the copies when they do: KEEP_DAYS is how long it may still be somewhere.
set -eu
umask 027

from=${1:?the folder of pictures}
home=${BACKUP_HOME:-/backup}/documents
keep=${KEEP_DAYS:-14}
stamp=$(date -u +%Y%m%dT%H%M%SZ)
case $keep in
'' | *[!0-9]* | 0) echo "documents: KEEP_DAYS is a number above 0, not '$keep'" >&2; exit 1 ;;
esac

mkdir -p "$home"
rm -rf "$home"/.[0-9]*.half
half=$home/.$stamp.half
copies() {
    find "$home" -mindepth 1 -maxdepth 1 -type d -name '[0-9]*T[0-9]*Z' | sed 's|.*/||' | sort
}
before=$(copies | tail -n 1)
if [ -n "$before" ]; then
    # Linked, not copied: what is the same takes no room.
    cp -R -p -l "$home/$before" "$half"
    # What was erased since stays out of this copy.
    (cd "$half" && find . -type f) | while read -r each; do
        [ -e "$from/$each" ] || rm -f "$half/$each"
    done
else
    mkdir "$half"
fi
# Only what is new or was sealed anew, and never into a file that an older copy shares. A file that goes while this runs is an error of
# the first try; of the second it would be another matter.
take() { cp -R -p -u --remove-destination "$from/." "$half/"; }
take 2> /dev/null || take
sync "$half"
mv "$half" "$home/$stamp"
echo "documents: $(find "$home/$stamp" -type f | wc -l) pictures in $stamp"

copies | head -n "-$keep" | while read -r old; do
    rm -rf "${home:?}/$old"
    echo "documents: $old is gone"
done
