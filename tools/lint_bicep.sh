#!/bin/sh
# Compiles and lints every Bicep file; whatever the compiler has to say is a failure. Where there is no compiler, says so.
set -eu

cd "$(dirname "$0")/.."

command -v bicep >/dev/null || {
    echo 'The Bicep files were not compiled: bicep is not on PATH (https://learn.microsoft.com/azure/azure-resource-manager/bicep/install).' >&2
    exit 0
}

HOME=$(mktemp -d) # It wants one that it can write to.
export HOME
trap 'rm -rf "$HOME"' EXIT

said=$({
    bicep lint --pattern './infra/**/*.bicep'
    bicep lint --pattern './tests/**/*.bicep*'
} 2>&1) || true
if [ -n "$said" ]; then
    printf '%s\n' "$said" >&2
    exit 1
fi
