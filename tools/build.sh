#!/usr/bin/env bash
# Builds the programs of the tests' control plane into a folder, once for each state of the module files.
#
#   tools/build.sh DIRECTORY
set -euo pipefail
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
mkdir -p "$1"
bin=$(cd "$1" && pwd)

if ! command -v go >/dev/null; then
    echo "The control plane of the tests is built with Go 1.26 or newer, which isn't installed." >&2
    exit 1
fi

state=$(cd "$tools" && cat build.sh go.mod go.sum kwok/go.mod kwok/go.sum | sha256sum)
if [ "$(cat "$bin/.built" 2>/dev/null)" = "$state" ]; then
    exit 0
fi
echo "Building the control plane of the tests (some minutes, once)"
rm -f "$bin/.built"

version_of() {
    go -C "$1" list -m -f '{{.Version}}' "$2"
}

# Without these, every program says v0.0.0, and kubectl finds that too far from the server.
kubernetes=$(version_of "$tools" k8s.io/kubernetes)
IFS=. read -r major minor _ <<<"${kubernetes#v}"
flags="-s -w"
for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
    flags+=" -X $package.gitVersion=$kubernetes -X $package.gitMajor=$major -X $package.gitMinor=$minor"
done
kwok=$(version_of "$tools/kwok" sigs.k8s.io/kwok)

export CGO_ENABLED=0
go -C "$tools" build -trimpath -ldflags "$flags" -o "$bin/" tool
mv "$bin/server" "$bin/etcd"  # the last element of its module's path
go -C "$tools/kwok" build -trimpath -ldflags "-s -w -X sigs.k8s.io/kwok/pkg/consts.Version=$kwok" -o "$bin/" tool
echo "$state" >"$bin/.built"
