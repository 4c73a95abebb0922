/** Time as it stands in file names: `20261123T143806Z`. */
export const fileTime = (at: number): string =>
  new Date(at).toISOString().replaceAll(/[-:]/g, '').replace(/\.\d+/, '');

export interface SnapshotName {
  file: string;
  cluster: string;
  /** Milliseconds since the epoch. */
  at: number;
  revision: number;
  encrypted: boolean;
}

/** `CLUSTER-TIME-rREVISION.db`, `.age` behind it where it is encrypted. */
export function snapshotName({ cluster, at, revision, encrypted }: Omit<SnapshotName, 'file'>): string {
  return `${cluster}-${fileTime(at)}-r${revision}.db${encrypted ? '.age' : ''}`;
}

const NAME = /^(.+)-(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-r(\d+)\.db(\.age)?$/;

/** What a file name says of a snapshot; null for a name that keelson gives to none. */
export function parseSnapshotName(file: string): SnapshotName | null {
  const match = NAME.exec(file);
  if (match === null) return null;
  const [, cluster = '', year, month, day, hours, minutes, seconds, revision, age] = match;
  const at = Date.parse(`${year}-${month}-${day}T${hours}:${minutes}:${seconds}Z`);
  return Number.isNaN(at)
    ? null
    : { file, cluster, at, revision: Number(revision), encrypted: age !== undefined };
}

/**
 * Names of a directory that are too many when the newest `keep` snapshots of a cluster stay; only names that
 * keelson gives, and never those of another cluster.
 */
export function expiredSnapshots(files: readonly string[], cluster: string, keep: number): string[] {
  return files
    .map(parseSnapshotName)
    .filter((name) => name !== null)
    .filter((name) => name.cluster === cluster)
    .sort((a, b) => b.at - a.at || b.revision - a.revision)
    .slice(keep)
    .map(({ file }) => file);
}
