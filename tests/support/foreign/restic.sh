#!/usr/bin/env bash
# Nightly backup with restic
set -euo pipefail
. /etc/restic/environment
export RESTIC_REPOSITORY="rest:https://me:Kanarienvogel@vault.example.org:8000/office"
export RESTIC_PASSWORD='Kanarienvogel' AWS_SECRET_ACCESS_KEY=Kanarienvogel
PLACE="FOLDER"
LEFT_OUT=(
  --exclude="*.tmp"             # never worth it
  --exclude "$PLACE/wiki/cache"
)
LEFT_OUT+=(--exclude-file "${PLACE}/left-out.txt" --exclude-file=/no/such/list)
KEEP="--keep-last 3 --keep-daily=14 --keep-weekly 8"
EXTRA=${EXTRA:-FOLDER/logs}

log() { echo "$(date -Is) $*" >> /var/log/restic.log; }

if ! restic snapshots > /dev/null 2>&1; then
  restic init
fi
cat <<END_OF_MAIL | mail -s "backup begins" root
restic backup /Kanarienvogel
END_OF_MAIL

restic --verbose \
  backup "${LEFT_OUT[@]}" \
  --one-file-system --tag nightly \
  "$PLACE/wiki" "$PLACE/my docs" $EXTRA
sudo -u postgres pg_dump -Fc bank | restic backup --stdin --stdin-filename bank.dump
for folder in one two; do restic backup "/srv/$folder" --iexclude "*.ISO"; done
restic forget $KEEP --keep-within 1m --keep-tag pinned --prune
restic check --read-data-subset=5%
curl -fsS "https://hc.example.org/Kanarienvogel"
