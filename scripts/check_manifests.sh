#!/usr/bin/env bash
# Render every overlay of the webhook's manifests and hold it to Kubernetes' schemas (kubernetes-validate) and to the
# security checks of checkov. Exceptions stand beside what they excuse, as annotations checkov.io/skipN with a reason.
# The two tools (300 MB) have a virtual environment of their own, in the user's cache.
set -euo pipefail
cd "$(dirname "$0")/.."
python="${1:-python3}"
tools="${XDG_CACHE_HOME:-$HOME/.cache}/kubectl-dynamo/manifest-tools-1"
if [ ! -f "$tools/installed" ]; then
	echo "installing kubernetes-validate and checkov into $tools"
	"$python" -m venv "$tools"
	"$tools/bin/pip" install --quiet --disable-pip-version-check 'kubernetes-validate >= 1.33' 'checkov >= 3.2, < 4'
	touch "$tools/installed"
fi
rendered="$(mktemp -d)"
trap 'rm -rf "$rendered"' EXIT
for overlay in manifests/webhook/overlays/*/; do
	kubectl kustomize "$overlay" >"$rendered/$(basename "$overlay").yaml"
done
# cert-manager's own kinds have no schema there, which is a warning.
if ! "$tools/bin/kubernetes-validate" --strict "$rendered"/*.yaml >"$rendered/log" 2>&1; then
	cat "$rendered/log" >&2
	exit 1
fi
"$tools/bin/checkov" --directory "$rendered" --framework kubernetes --compact --quiet --skip-download
echo 'manifests: schemas and security checks passed'
