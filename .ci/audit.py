"""Known vulnerabilities of the versions in constraints.txt, as far as the network tells."""

import json
import subprocess
import sys

COMMAND = "-m pip_audit --disable-pip --no-deps -r constraints.txt --progress-spinner off --timeout 5 --format json"

try:
    result = subprocess.run([sys.executable, *COMMAND.split()], capture_output=True, timeout=120)
    packages = json.loads(result.stdout)["dependencies"]
except (subprocess.TimeoutExpired, ValueError):
    packages = []
told = [package for package in packages if "skip_reason" not in package]
found = [(package, flaw) for package in told for flaw in package["vulns"]]
for package, flaw in found:
    print(
        f"{package['name']} {package['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'none'}"
    )
print(
    f"{len(told)} packages audited, {len(found)} known vulnerabilities"
    if told
    else "no audit: the network gave no answer"
)
sys.exit(bool(found))
