#!/bin/sh
# Seals the folder of secrets for somebody who is not here: tar, encrypted to a certificate whose private key lies elsewhere.
#   keys.sh /etc/canbao/secrets recovery-certificate.pem /mnt/keys/canbao-keys-20261122.cms
# Without seal-keys.json every name, number and picture in a backup is lost; beside the backup it protects nothing. So it never goes
# into BACKUP_HOME. Run it after each change of a key. Open: openssl cms -decrypt -binary -inform DER -in FILE -inkey KEY | tar x
set -eu
umask 077

secrets=${1:?the folder of secrets}
certificate=${2:?a certificate (PEM), whose private key lies elsewhere}
out=${3:?the file to write}
home=${BACKUP_HOME:-/backup}

[ -f "$secrets/seal-keys.json" ] || { echo "keys: no seal-keys.json in $secrets" >&2; exit 1; }
[ ! -e "$out" ] || { echo "keys: $out is there already" >&2; exit 1; }
folder=$(cd "$(dirname "$out")" && pwd -P)
if [ -d "$home" ]; then
    home=$(cd "$home" && pwd -P)
    case $folder/ in
    "$home"/*) echo "keys: not into $home: whoever takes the backup would have the keys to it" >&2; exit 1 ;;
    esac
fi
work=$(mktemp -d)
trap 'rm -rf "$work" "$out.half"' EXIT
# Not a plain pipe: it would tell of its last command alone, and an archive that was cut off must not look whole.
mkfifo "$work/tar"
tar -C "$secrets" -cf "$work/tar" . &
openssl cms -encrypt -binary -aes-256-cbc -outform DER -in "$work/tar" -out "$out.half" "$certificate"
wait $!
sync "$out.half"
mv "$out.half" "$out"
echo "keys: $out can be opened by whoever has the key to $certificate"
