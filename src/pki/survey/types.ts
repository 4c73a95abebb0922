import type { ResolvedHost } from '../../config/types.js';
import type { FindingCode } from '../findings.js';
import type { PkiEntry } from '../plan-certificates.js';
import type { Sans } from '../san.js';
import type { AuthorityName } from '../table.js';

/** How it was come by: a file, data inside a kubeconfig, a TLS handshake, an object of the API. */
export type Source = 'file' | 'kubeconfig' | 'handshake' | 'object';

/**
 * What it is for. `leaf`: somebody shows it; `authority`: a CA that signs; `trust`: certificates that others are
 * checked against; `key`: a key pair without a certificate.
 */
export type Part = 'leaf' | 'authority' | 'trust' | 'key';

type SurveyCode =
  | FindingCode
  | 'expiring'
  | 'not-rotated'
  | 'process-differs'
  | 'no-answer'
  | 'unreachable'
  | 'hosts-differ'
  | 'readable-by-others'
  | 'trust-lacks-authority'
  | 'not-joined';

export interface SurveyFinding {
  code: SurveyCode;
  /** Notes are for information: nothing is wrong, and nothing is about to be. */
  severity: 'error' | 'warning' | 'note';
  /** Without its place, which stands beside it. */
  message: string;
  /** What the user can do, as one imperative sentence; '' where there is nothing to do. */
  remedy: string;
}

export interface FoundCertificate {
  /** `CN=…, O=…` */
  subject: string;
  commonName: string;
  organizations: readonly string[];
  /** Common name of its issuer. */
  issuer: string;
  /** Upper-case hex. */
  serial: string;
  /** sha256 of the certificate, lower-case hex. */
  fingerprint: string;
  /** sha256 of its SubjectPublicKeyInfo, lower-case hex: the same for two certificates of one key. */
  publicKey: string;
  /** ISO 8601. */
  notBefore: string;
  notAfter: string;
  /** Whole days left; negative once it has expired. */
  daysLeft: number;
  sans: Sans;
  /** `RSA-2048`, `ECDSA-P256`, … */
  algorithm: string;
  isAuthority: boolean;
  selfSigned: boolean;
  /** Fingerprint of the authority, of all that were found, which signed it; null where none did. */
  signedBy: string | null;
}

/** One place with certificates or a key. Holds no secret. */
export interface SurveyItem {
  /** Name in the inventory; '' for objects of the API. */
  host: string;
  source: Source;
  /** Path, `address:port`, or `ConfigMap kube-public/cluster-info`. */
  place: string;
  /**
   * What it is: kubeadm's name (`apiserver`, `admin.conf`, `ca`, `sa`), `kubelet-client`, `kubelet-server`, the
   * program's name for handshakes, else the file's or object's own.
   */
  name: string;
  part: Part;
  /** Part of what kubeadm, a kubelet or the API use; anything else was found beside it, and may be used by nobody. */
  known: boolean;
  /** The leaf first, then what follows in the file or was sent; [] where nothing could be read. */
  certificates: readonly FoundCertificate[];
  /** Whether the key beside it is its own; null where there is none to compare. */
  keyMatches: boolean | null;
  /** sha256 of the public key of a `key`. */
  publicKey?: string;
  /** Objects with this very content, where several have it: `default/kube-root-ca.crt`. */
  objects?: readonly string[];
  findings: SurveyFinding[];
}

/** A finding with its place. */
export interface PlacedFinding extends SurveyFinding {
  host: string;
  place: string;
  name: string;
}

/** Every certificate, key and trust bundle of a cluster, and what is wrong with them. */
export interface CertificateSurvey {
  cluster: string;
  /** ISO 8601. */
  at: string;
  warnDays: number;
  items: readonly SurveyItem[];
  /** Authorities as the control plane that is worked through has them (etcd's as a host of role etcd has it, where there is one): fingerprints, the one that signs first. */
  authorities: Readonly<Partial<Record<AuthorityName, readonly string[]>>>;
  /** All findings, errors first; also those that belong to no item. */
  findings: readonly PlacedFinding[];
  /** Number of findings that are no notes. */
  problems: number;
}

/** A file as it was found on a host. `path` as it was asked for, also where that is a symbolic link. */
export interface FoundFile {
  path: string;
  /** Permission bits. */
  mode: number;
  content: Buffer;
}

/** What a host has. */
export interface HostFindings {
  host: ResolvedHost;
  files: ReadonlyMap<string, FoundFile>;
  /** The standing of its part of the certificate table; [] for workers. */
  entries: readonly PkiEntry[];
}

/** What a program presents to whoever connects. */
export interface Presented {
  host: string;
  /** `kube-apiserver`, `etcd`, `etcd-peer`, `kubelet`, … */
  program: string;
  /** `address:port` */
  place: string;
  /** PEM, in the order sent; or why there is nothing. */
  answer: { chain: readonly string[] } | { failure: string };
}

/** Certificates that an object of the API tells others to trust. */
export interface TrustObject {
  /** `ConfigMap kube-public/cluster-info` */
  place: string;
  name: string;
  pem: string;
  /** The authority that has to be in it; null where that is its owner's matter. */
  authority: AuthorityName | null;
  objects?: readonly string[];
  /** Whether Kubernetes itself uses it; default true. */
  known?: boolean;
}
