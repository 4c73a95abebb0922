import { modeDrift } from '../../engine/files.js';
import type { Change } from '../../engine/types.js';
import type { FileState } from '../../host/types.js';
import { CERTIFICATE_MODE, SECRET_MODE } from '../../pki/table.js';
import { CREDENTIALS } from '../artefacts.js';
import { defineHostPhase, type PhaseContext } from '../context.js';
import { verdictOf } from '../rendered.js';

/** Begins the names of the secret artefacts of these files. */
export const ETCD_CLIENT_ARTEFACT = 'etcd-client:';

const filesOf = ({ etcdClient }: PhaseContext): ReadonlyMap<string, Buffer> => etcdClient ?? new Map();

export const etcdClientModeOf = (context: Pick<PhaseContext, 'config'>, path: string): number =>
  path === context.config.cluster.etcd.external?.keyFile ? SECRET_MODE : CERTIFICATE_MODE;

export const externalEtcdClient = defineHostPhase({
  name: 'certs/external-etcd',
  summary: 'the API server’s client certificate of an etcd that is run elsewhere, as the operator has it',
  target: 'control-planes',
  group: 'credentials',
  needs: [],
  provides: [CREDENTIALS],
  runIf: (context) => filesOf(context).size > 0,
  observe: (context) => ({ files: [...filesOf(context).keys()] }),
  plan: (context, _host, seen) =>
    verdictOf(
      [...filesOf(context)].flatMap(([path, wanted]) =>
        changeOf(context, path, wanted, seen.files.get(path)),
      ),
    ),
});

function changeOf(
  context: PhaseContext,
  path: string,
  wanted: Buffer,
  state: FileState | undefined,
): Change[] {
  const missing = state === undefined || state.type === 'missing';
  const mode = etcdClientModeOf(context, path);
  const drift = missing ? null : modeDrift(state, mode);
  const same = !missing && state.content?.equals(wanted) === true;
  if (same && drift === null) return [];
  const why = missing ? 'is missing' : same ? drift : 'is not what spec.externalEtcd names';
  return [
    {
      kind: 'file',
      op: missing ? 'create' : 'update',
      path,
      mode,
      content: {
        kind: 'secret',
        artefact: `${ETCD_CLIENT_ARTEFACT}${path}`,
        summary: 'client of the external etcd',
      },
      dirMode: 0o755,
      reason: `${path} ${why}`,
    },
  ];
}
