import { X509Certificate } from 'node:crypto';
import type { Role } from '../config/types.js';
import type { KeelsonError } from '../errors/keelson-error.js';
import type { HostFacts, HostReader, ReadResult } from '../host/types.js';
import { CONTAINERD_UNIT } from '../manifests/containerd.js';
import { KUBELET_UNIT } from '../manifests/kubelet.js';

export interface CertificateStatus {
  host: string;
  path: string;
  /** ISO 8601. */
  expires: string;
  /** Whole days left; negative once it has expired. */
  daysLeft: number;
}

export interface HostStatus {
  name: string;
  role: Role;
  reachable: boolean;
  /** Why it is not reachable. */
  error?: string;
  os?: string;
  kernel?: string;
  /** Whole seconds since boot. */
  uptimeSeconds?: number;
  /** systemd's ActiveState. */
  kubelet?: string;
  kubeletVersion?: string;
  containerd?: string;
  containerdVersion?: string;
  /** Control-plane programs that run on the host, as the kernel names them. */
  processes?: string[];
}

const PROGRAMS: Readonly<Record<string, string>> = {
  etcd: 'etcd',
  'kube-apiserver': 'kube-apiserver',
  // The kernel keeps fifteen characters.
  'kube-controller': 'kube-controller-manager',
  'kube-scheduler': 'kube-scheduler',
};

/** Certificates only, wherever they are: no key leaves the host. */
const certificatesProbe = (
  directory: string,
) => `for file in ${directory}/*.crt ${directory}/etcd/*.crt /var/lib/kubelet/pki/kubelet-client-current.pem; do
  [ -f "$file" ] && echo "file $file" && sed -n '/BEGIN CERTIFICATE/,/END CERTIFICATE/p' "$file"
done
for file in /etc/kubernetes/*.conf; do
  [ -f "$file" ] && echo "file $file" && sed -n 's/^ *client-certificate-data: *//p' "$file" | base64 -d 2>/dev/null
done; true`;

const PROBES = {
  uptime: 'cut -d. -f1 /proc/uptime',
  kubelet: 'kubelet --version 2>/dev/null; true',
  containerd: 'containerd --version 2>/dev/null; true',
  processes: `cat /proc/[0-9]*/comm 2>/dev/null | grep -xE '${Object.keys(PROGRAMS).join('|')}' | sort -u; true`,
};

/** One host's status, in one round trip. */
export async function hostStatus(
  host: HostReader,
  role: HostStatus['role'],
  facts: HostFacts | undefined,
  options: { now: number; certificatesDir: string },
): Promise<{ status: HostStatus; certificates: CertificateStatus[] }> {
  const seen = await host.read({
    units: [KUBELET_UNIT, CONTAINERD_UNIT],
    probes: { ...PROBES, certificates: certificatesProbe(options.certificatesDir) },
  });
  const said = (probe: string) => seen.probes.get(probe)?.stdout.trim() ?? '';
  const version = (text: string) => /\bv?\d+\.\d+\.\d+\S*/.exec(text)?.[0];
  const kubeletVersion = version(said('kubelet'));
  const containerdVersion = version(said('containerd'));
  const status: HostStatus = {
    name: host.name,
    role,
    reachable: true,
    ...(facts === undefined ? {} : { os: facts.os.prettyName, kernel: facts.kernel }),
    uptimeSeconds: Number(said('uptime')),
    kubelet: seen.units.get(KUBELET_UNIT)?.active ?? 'unknown',
    ...(kubeletVersion === undefined ? {} : { kubeletVersion }),
    containerd: seen.units.get(CONTAINERD_UNIT)?.active ?? 'unknown',
    ...(containerdVersion === undefined ? {} : { containerdVersion }),
    processes: said('processes')
      .split('\n')
      .flatMap((name) => PROGRAMS[name] ?? []),
  };
  return { status, certificates: certificatesOf(host.name, seen, options.now) };
}

/** The status of a host that does not answer. */
export function unreachableStatus(name: string, role: HostStatus['role'], error: KeelsonError): HostStatus {
  return { name, role, reachable: false, error: error.message };
}

function certificatesOf(host: string, seen: ReadResult, now: number): CertificateStatus[] {
  const sections = (seen.probes.get('certificates')?.stdout ?? '').split(/^file /m).slice(1);
  return sections.flatMap((section): CertificateStatus[] => {
    const path = section.slice(0, section.indexOf('\n'));
    const ends = [
      ...section.matchAll(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g),
    ].flatMap(([pem]) => {
      try {
        return [Date.parse(new X509Certificate(pem).validTo)];
      } catch {
        return [];
      }
    });
    if (ends.length === 0) return [];
    const end = Math.min(...ends);
    const daysLeft = Math.floor((end - now) / 86_400_000);
    return [{ host, path, expires: new Date(end).toISOString(), daysLeft }];
  });
}
