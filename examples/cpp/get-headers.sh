#!/bin/sh
# sh get-headers.sh [DIR]: onnxruntime's headers into DIR/include (default: build/onnxruntime beside this script).
#
# PyPI's and npm's packages hold the library without headers. On Debian this fetches Debian 13's libonnxruntime-dev,
# 85 kB, with lists and caches of its own: nothing is installed, and the machine's own lists stay as they are. On other
# systems take the headers from the archive of a release of onnxruntime, or from NuGet's Microsoft.ML.OnnxRuntime.
# Their version need not be the library's: runtime.cpp asks for version 21 of the API, that of onnxruntime 1.21.
set -eu
target=${1:-$(dirname "$0")/build/onnxruntime}
suite=trixie # Debian 13; Debian 12 has no such package

# The machine's own mirror and key ring, so that a hospital's mirror is used where there is one.
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' | grep '/debian/\{0,1\}$' | head -n 1)}
: "${mirror:?no Debian mirror in the sources of apt; set DEBIAN_MIRROR}"
keys=/usr/share/keyrings/debian-archive-$suite-automatic.gpg
[ -r "$keys" ] || { echo "no $keys: install debian-archive-keyring" >&2; exit 1; }

state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$target"
echo "deb [signed-by=$keys] $mirror $suite main" >"$state/sources.list"
: >"$state/status"
with_own_state() {
    apt-get -qq \
        -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=- \
        -o Dir::State="$state" -o Dir::State::Lists="$state/lists" -o Dir::State::status="$state/status" \
        -o Dir::Cache="$state/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none "$@"
}
with_own_state update
(cd "$state" && with_own_state download libonnxruntime-dev)
dpkg -x "$state"/libonnxruntime-dev_*.deb "$state/package"
cp -R "$state/package/usr/include" "$target/"
find "$target/include" -name onnxruntime_c_api.h
