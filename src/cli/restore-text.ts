import { span } from '../report/age-text.js';
import type { RestorePlan } from '../workflows/etcd/restore-plan.js';

/** What a restore would do and lose, for people. */
export function restorePlanText(plan: RestorePlan): string {
  const { snapshot, currentRevision } = plan;
  const objects = Object.values(snapshot.objects).reduce((sum, count) => sum + count, 0);
  const later = currentRevision === null ? null : currentRevision - snapshot.revision;
  const lost =
    later === null
      ? 'no member answers, so what was written after it is not known'
      : later >= 0
        ? `etcd is at revision ${currentRevision}: ${later} revisions of changes are lost`
        : `etcd is at revision ${currentRevision}, before that of the snapshot`;
  return [
    `Snapshot  ${snapshot.file}`,
    `          revision ${snapshot.revision}, ${objects} objects, digest fits; taken ${snapshot.takenAt}, ${span(snapshot.ageMs)} ago`,
    `Lost      ${lost}`,
    ...plan.members.map(
      (member) =>
        `${member.host.padEnd(9)} ${member.keptAs === null ? 'has no data' : `its data is kept as ${member.keptAs}`}`,
    ),
    ...plan.joinLater.map(
      (host) => `${host.padEnd(9)} has nothing of a cluster yet: joins later, by keelson apply`,
    ),
    ...plan.warnings.map((warning) => `Warning   ${warning}`),
    '',
  ].join('\n');
}
