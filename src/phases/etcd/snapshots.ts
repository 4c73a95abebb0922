import {
  SNAPSHOT_FILES,
  SNAPSHOT_TIMER,
  SNAPSHOT_TIMER_PATH,
  snapshotsOn,
} from '../../manifests/etcd-snapshots.js';
import { ADDONS } from '../artefacts.js';
import { defineHostPhase } from '../context.js';
import { renderedChanges, SURROUNDINGS, verdictOf } from '../rendered.js';
import { serviceChanges } from '../services.js';
import { unitRemoval } from '../unit-removal.js';

export const etcdSnapshots = defineHostPhase({
  name: 'etcd/snapshots',
  summary: 'snapshots of etcd by a timer on every host with a member, where the file asks for them',
  target: 'control-planes-and-etcd-hosts',
  // There is nothing worth a copy before.
  needs: [ADDONS],
  provides: [],
  observe: () => ({
    files: SNAPSHOT_FILES,
    stats: [...SURROUNDINGS.stats],
    units: [SNAPSHOT_TIMER, ...SURROUNDINGS.units],
  }),
  plan: (context, name, seen) => {
    if (snapshotsOn(context.config, context.hostNamed(name)) === null)
      return verdictOf(unitRemoval([{ unit: SNAPSHOT_TIMER, files: SNAPSHOT_FILES }], seen));
    const files = renderedChanges(context, name, seen, SNAPSHOT_FILES);
    const timer = files.some((change) => change.kind === 'file' && change.path === SNAPSHOT_TIMER_PATH);
    return verdictOf([
      ...files,
      ...serviceChanges(SNAPSHOT_TIMER, seen.units.get(SNAPSHOT_TIMER), {
        touched: timer,
        unitFileTouched: files.length > 0,
      }),
    ]);
  },
});
