import type { ClusterConfig } from '../config/types.js';
import type { RenderedFile } from './rendered-file.js';

export const CERTIFICATE_TIMER = 'keelson-certificates.timer';
const SCRIPT_PATH = '/usr/local/sbin/keelson-check-certificates';
const UNIT_PATH = '/usr/lib/systemd/system/keelson-certificates';

/** The files of the timer that checks a host's certificates on the host itself. */
export const CERTIFICATE_TIMER_FILES = [SCRIPT_PATH, `${UNIT_PATH}.service`, `${UNIT_PATH}.timer`];
/** Those that systemd reads. */
export const CERTIFICATE_TIMER_UNITS = CERTIFICATE_TIMER_FILES.slice(1);

/**
 * POSIX sh. Arguments: days, directory of certificates, file for metrics or nothing. Looks at the first certificate of every
 * file, and at those in kubeconfigs. Exit code 1, and so a failed unit, where one ends within that many days.
 */
export const CHECK_CERTIFICATES = `#!/bin/sh
# Written by keelson from spec.certificateTimer.
days=$1 pki=$2 metrics=$3
command -v openssl > /dev/null || { echo '<3>openssl is not installed: no certificate was looked at'; exit 2; }
now=$(date +%s)
found=$(mktemp) || exit 2
trap 'rm -f "$found"' EXIT
look() {
  end=$(openssl x509 -noout -enddate 2> /dev/null) || return 0
  echo "$(date -d "\${end#notAfter=}" +%s) $1" >> "$found"
}
for file in $(find -L "$pki" /etc/kubernetes/pki /var/lib/kubelet/pki -maxdepth 3 -type f \\( -name '*.crt' -o -name '*-current.pem' \\) 2> /dev/null | sort -u); do
  look "$file" < "$file"
done
for file in /etc/kubernetes/*.conf; do
  sed -n 's/^ *client-certificate-data: *//p' "$file" 2> /dev/null | base64 -d 2> /dev/null | look "$file"
done
code=0
while read -r end file; do
  left=$(((end - now) / 86400))
  if [ "$end" -le "$now" ]; then echo "<3>$file has expired"; code=1
  elif [ "$end" -le $((now + days * 86400)) ]; then echo "<4>$file expires in $left days"; code=1; fi
done < "$found"
[ -s "$found" ] || { echo '<3>there is no certificate here'; code=2; }
if [ -n "$metrics" ]; then
  {
    echo '# TYPE keelson_certificate_not_after_seconds gauge'
    sed 's/^\\([0-9]*\\) \\(.*\\)$/keelson_certificate_not_after_seconds{place="\\2"} \\1/' "$found"
    echo '# TYPE keelson_certificate_check_seconds gauge'
    echo "keelson_certificate_check_seconds $now"
  } > "$metrics.tmp" && chmod 644 "$metrics.tmp" && mv "$metrics.tmp" "$metrics" || code=2
fi
exit $code
`;

/** The timer's files by path; none where the cluster has none. */
export function certificateTimerFiles({ spec, cluster }: ClusterConfig): Map<string, RenderedFile> {
  const timer = spec.certificateTimer;
  if (timer === undefined) return new Map();
  const words = [SCRIPT_PATH, String(timer.warnDays), cluster.certificatesDir, timer.metricsFile ?? ''];
  const command = words.map((word) => `"${word.replaceAll('%', '%%')}"`).join(' ');
  const service = `[Unit]
Description=Look at the Kubernetes certificates of this host

[Service]
Type=oneshot
ExecStart=${command}
`;
  const schedule = `[Unit]
Description=Look at the Kubernetes certificates of this host now and then

[Timer]
OnCalendar=${timer.schedule}
RandomizedDelaySec=10min

[Install]
WantedBy=timers.target
`;
  return new Map([
    [SCRIPT_PATH, { content: CHECK_CERTIFICATES, mode: 0o755 }],
    [`${UNIT_PATH}.service`, { content: service, mode: 0o644 }],
    [`${UNIT_PATH}.timer`, { content: schedule, mode: 0o644 }],
  ]);
}
