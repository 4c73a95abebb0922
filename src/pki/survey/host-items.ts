import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readKubeconfig } from '../kubeconfig.js';
import { pemBlocks } from '../pem.js';
import type { PkiEntry } from '../plan-certificates.js';
import { KUBECONFIGS } from '../table.js';
import { type CertificateBook, certificatesIn, publicKeyDigest } from './certificate.js';
import type { FoundFile, HostFindings, Part, SurveyFinding, SurveyItem } from './types.js';

/** Where else than in the certificate table a host has certificates, all of them absolute paths. */
export interface ExtraPlaces {
  /** The certificate that a kubelet shows to the API, with its key in the same file. */
  kubeletClient: string;
  kubeletConf: string;
  /** Certificates that a kubelet serves with, by preference, and their keys. */
  kubeletServer: readonly { cert: string; key: string }[];
  /** What a kubelet checks its clients against. */
  kubeletClientCa: string;
}

const NOT_FOR_OTHERS = 0o077;

/**
 * Everything on one host: the certificate table's entries with what is wrong with them, the kubelet's, and
 * whatever else lies beside.
 */
export function hostItems(found: HostFindings, places: ExtraPlaces, book: CertificateBook): SurveyItem[] {
  const builder = itemBuilder(found, book);
  const entries = found.entries.filter((entry) => entry.name !== 'kubelet');
  const items = entries.flatMap((entry) => builder.entry(entry));
  if (found.host.role !== 'etcd') {
    items.push(...kubeletItems(found, places, builder));
  }
  for (const path of [...found.files.keys()].sort()) {
    if (!builder.taken.has(path)) items.push(...builder.other(path));
  }
  return items;
}

function kubeletItems(
  { files, host }: HostFindings,
  places: ExtraPlaces,
  builder: ReturnType<typeof itemBuilder>,
): SurveyItem[] {
  const items: SurveyItem[] = [];
  if (files.has(places.kubeletConf)) items.push(...builder.kubeconfig('kubelet.conf', places.kubeletConf));
  if (files.has(places.kubeletClient)) {
    items.push(builder.leaf('kubelet-client', places.kubeletClient, places.kubeletClient));
  }
  const server = places.kubeletServer.find(({ cert }) => files.has(cert));
  if (server !== undefined) items.push(builder.leaf('kubelet-server', server.cert, server.key));
  // On a control plane it is the authority's own file.
  if (host.role === 'worker' && files.has(places.kubeletClientCa)) {
    items.push(builder.certificates('ca', places.kubeletClientCa, 'trust'));
  }
  return items;
}

function itemBuilder({ host, files }: HostFindings, book: CertificateBook) {
  const taken = new Set<string>();
  const text = (path: string) => {
    taken.add(path);
    return files.get(path)?.content.toString();
  };
  const base = { host: host.name, source: 'file', known: true, keyMatches: null } as const;

  const certificates = (name: string, path: string, part: Part, pem = text(path)): SurveyItem => {
    const item = { ...base, place: path, name, part };
    const read = certificatesIn(pem ?? '', path);
    return 'failure' in read
      ? { ...item, certificates: [], findings: pem === undefined ? [] : [read.failure] }
      : { ...item, certificates: read.infos.map(book.add), findings: [] };
  };

  const leaf = (name: string, cert: string, key: string): SurveyItem => {
    const item = certificates(name, cert, 'leaf');
    return withKey(item, text(key), [files.get(key)], key);
  };

  const kubeconfig = (name: string, path: string): SurveyItem[] => {
    const config = text(path) ?? '';
    const findings = [readableByOthers([files.get(path)])].flat();
    const item = { ...base, source: 'kubeconfig', place: path, name, findings } as const;
    try {
      const view = readKubeconfig(config, path);
      const trust =
        view.caPem === null
          ? []
          : [{ ...certificates(name, path, 'trust', view.caPem), source: 'kubeconfig' as const }];
      if (view.certPem === null)
        return trust.map((one) => ({ ...one, findings: [...one.findings, ...findings] }));
      const own = certificates(name, path, 'leaf', view.certPem);
      const keyed = withKey(own, view.keyPem ?? undefined, [], path);
      return [{ ...keyed, source: 'kubeconfig', findings: [...keyed.findings, ...findings] }, ...trust];
    } catch {
      const broken: SurveyFinding = {
        code: 'unreadable',
        severity: 'error',
        message: 'is no kubeconfig with a current context',
        remedy: 'remove the file so that keelson apply writes it anew',
      };
      return [{ ...item, part: 'leaf', certificates: [], findings: [...findings, broken] }];
    }
  };

  const entry = (of: PkiEntry): SurveyItem[] => {
    const [path = '', key] = of.paths;
    for (const one of of.paths) taken.add(one);
    if (!files.has(path))
      return [
        { ...base, place: path, name: nameOf(of), part: partOf(of), certificates: [], findings: [MISSING] },
      ];
    const said = of.findings.map(
      ({ code, severity, message, remedy, path: about }): SurveyFinding => ({
        code,
        // Where a kubeconfig points is drift, which plan shows; another identity is the user's choice.
        severity: severity === 'warning' ? 'note' : severity,
        message: about === path ? message : `${about} ${message}`,
        remedy,
      }),
    );
    if (of.kind === 'kubeconfig') {
      const [own, ...trust] = kubeconfig(nameOf(of), path);
      return own === undefined ? [] : [{ ...own, findings: merged(own.findings, said) }, ...trust];
    }
    if (of.kind === 'service-account') {
      const publicKey = keyDigest(text(path));
      const findings = [...said, ...readableByOthers([files.get(path)])];
      const item: SurveyItem = { ...base, place: path, name: 'sa', part: 'key', certificates: [], findings };
      return [{ ...item, keyMatches: of.standing === 'ok', ...(publicKey === null ? {} : { publicKey }) }];
    }
    const item = certificates(of.name, path, partOf(of));
    const keyed = withKey(item, key === undefined ? undefined : text(key), [files.get(key ?? '')], key ?? '');
    return [{ ...keyed, findings: merged(keyed.findings, said) }];
  };

  /** What no table knows: nobody may use it, so all that is said of it are notes. */
  const other = (path: string): SurveyItem[] => {
    const pem = text(path) ?? '';
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (path.endsWith('.conf')) return kubeconfig(name, path).map(asNotes);
    if (pemBlocks(pem, 'CERTIFICATE').length === 0) {
      const publicKey = keyDigest(pem);
      if (publicKey === null || !/PRIVATE KEY-----/.test(pem)) return [];
      const findings = readableByOthers([files.get(path)]);
      return [
        { ...base, known: false, place: path, name, part: 'key', certificates: [], publicKey, findings },
      ];
    }
    const key = path.replace(/\.(crt|pem|cer)$/, '.key');
    const item = certificates(name, path, 'leaf');
    const part = item.certificates[0]?.isAuthority === true ? 'trust' : 'leaf';
    const keyed = withKey(item, key === path ? pem : text(key), [files.get(key)], key);
    return [asNotes({ ...keyed, part })];
  };

  return { taken, entry, leaf, kubeconfig, certificates, other };
}

const MISSING: SurveyFinding = {
  code: 'certificate-missing',
  severity: 'error',
  message: 'is missing',
  remedy: 'run keelson apply, which makes it',
};

/** Kubeconfigs go by their files' names, as in kubeadm. */
function nameOf({ name }: PkiEntry): string {
  return KUBECONFIGS.find((row) => row.name === name)?.file ?? name;
}

function partOf({ kind }: PkiEntry): Part {
  if (kind === 'service-account') return 'key';
  return kind === 'authority' ? 'authority' : 'leaf';
}

/** An unreadable file is told once; what `said` adds is more precise. */
function merged(own: readonly SurveyFinding[], said: readonly SurveyFinding[]): SurveyFinding[] {
  const codes = new Set(said.map(({ code }) => code));
  return [...own.filter(({ code }) => !codes.has(code)), ...said];
}

function asNotes(item: SurveyItem): SurveyItem {
  const soften = (finding: SurveyFinding): SurveyFinding =>
    finding.code === 'readable-by-others' ? finding : { ...finding, severity: 'note' };
  return { ...item, known: false, findings: item.findings.map(soften) };
}

/** The item with what its key says of it; no key is no finding here. */
function withKey(
  item: SurveyItem,
  keyPem: string | undefined,
  files: readonly (FoundFile | undefined)[],
  path: string,
): SurveyItem {
  const digest = keyDigest(keyPem);
  const [first] = item.certificates;
  const findings = [...item.findings, ...readableByOthers(files)];
  if (digest === null || first === undefined) return { ...item, findings };
  const keyMatches = first.publicKey === digest;
  if (!keyMatches) {
    const message = path === item.place ? 'the key is not its own' : `${path} is not its key`;
    findings.push({
      code: 'key-differs',
      severity: 'error',
      message,
      remedy: 'put the matching pair in place, or remove both',
    });
  }
  return { ...item, keyMatches, findings };
}

function readableByOthers(files: readonly (FoundFile | undefined)[]): SurveyFinding[] {
  return files.flatMap((file): SurveyFinding[] => {
    if (file === undefined || (file.mode & NOT_FOR_OTHERS) === 0) return [];
    const mode = file.mode.toString(8).padStart(4, '0');
    return [
      {
        code: 'readable-by-others',
        severity: 'warning',
        message: `${file.path} holds a private key and has mode ${mode}`,
        remedy: `chmod 600 ${file.path}`,
      },
    ];
  });
}

function keyDigest(pem: string | undefined): string | null {
  if (pem === undefined) return null;
  const [block] =
    /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?-----END [A-Z ]*PRIVATE KEY-----/.exec(pem) ?? [];
  if (block === undefined) return null;
  try {
    return publicKeyDigest(createPublicKey(createPrivateKey(block)));
  } catch {
    return null;
  }
}
