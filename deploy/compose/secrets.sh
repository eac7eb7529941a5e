#!/usr/bin/env bash
# Makes the secrets of compose.yaml where there are none yet. Those that are there stay.
#
# The files are readable by all, since the services run as other users than whoever starts them; the directory is not,
# so on this machine only its owner gets at them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

mkdir -p secrets
chmod 0700 secrets
for name in admin_token redis_password grafana_password; do
    if [[ ! -s secrets/$name ]]; then
        od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"secrets/$name"
        chmod 0644 "secrets/$name"
        echo "made deploy/compose/secrets/$name"
    fi
done
