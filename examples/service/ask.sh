#!/bin/sh
# Start a service on a free port, ask it as other programs would, and stop it.
#
#   examples/service/ask.sh [FILE...]
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- brisc_glioma_axial.jpg brisc_no_tumor_axial.jpg

ready=$(mktemp)
brain-serve --port 0 > "$ready" &
service=$!
trap 'kill $service 2> /dev/null || true; rm -f "$ready"' EXIT
while [ ! -s "$ready" ]; do
    kill -0 $service # it has ended: its log says why
    sleep 0.1
done
url=$(sed 's/.*"url": "\([^"]*\)".*/\1/' "$ready")

curl --silent --show-error --fail "$url/readyz"
for file in "$@"; do
    # Lines of an archive arrive as they are ready; curl ends with status 18 if a body is cut off.
    curl --silent --show-error --no-buffer --data-binary "@$file" "$url/v1/classify"
done
curl --silent --show-error --fail "$url/metrics" | grep '^brain_serve_answers_total'

kill $service
wait $service
