import { modeDrift } from '../../engine/files.js';
import type { FileChange } from '../../engine/types.js';
import { PREPARED_HOST, RUNTIME } from '../artefacts.js';
import { defineHostPhase, type PhaseContext } from '../context.js';
import { verdictOf } from '../rendered.js';

/** Begins the names of the secret artefacts of these files. */
export const REGISTRY_ARTEFACT = 'registry:';

/** Logins are in them. */
export const REGISTRY_FILE_MODE = 0o600;

const filesOf = ({ registryFiles }: PhaseContext): ReadonlyMap<string, Buffer> => registryFiles ?? new Map();

export const registries = defineHostPhase({
  name: 'runtime/registries',
  summary: 'where containerd asks for images in place of their registries',
  target: 'all',
  needs: [PREPARED_HOST],
  provides: [RUNTIME],
  runIf: (context) => filesOf(context).size > 0,
  observe: (context) => ({ files: [...filesOf(context).keys()] }),
  plan: (context, _host, seen) =>
    verdictOf(
      [...filesOf(context)].flatMap(([path, wanted]): FileChange[] => {
        const state = seen.files.get(path);
        const missing = state === undefined || state.type === 'missing';
        const same = !missing && state.content?.equals(wanted) === true;
        const drift = missing ? null : modeDrift(state, REGISTRY_FILE_MODE);
        if (same && drift === null) return [];
        return [
          {
            kind: 'file',
            op: missing ? 'create' : 'update',
            path,
            mode: REGISTRY_FILE_MODE,
            dirMode: 0o755,
            content: {
              kind: 'secret',
              artefact: `${REGISTRY_ARTEFACT}${path}`,
              summary: 'mirror of a registry',
            },
            reason: `${path} ${missing ? 'is missing' : same ? drift : 'is not what spec.mirrors says'}`,
          },
        ];
      }),
    ),
});
