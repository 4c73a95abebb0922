import { z } from 'zod';
import { KeelsonError } from '../../errors/keelson-error.js';

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const schema = z.strictObject({
  formatVersion: z.literal(1),
  /** Id of the bundle that it is applied onto. */
  base: sha256,
  /** Version of Kubernetes in it, for people. */
  baseVersion: z.string(),
  /** Blobs that come from the base. */
  omitted: z.array(sha256),
});

/** What makes an archive a delta. */
export interface DeltaHead {
  base: string;
  baseVersion: string;
  omitted: ReadonlySet<string>;
}

export function parseDeltaHead(bytes: Buffer, place: string): DeltaHead {
  try {
    const { base, baseVersion, omitted } = schema.parse(JSON.parse(bytes.toString('utf8')));
    return { base, baseVersion, omitted: new Set(omitted) };
  } catch (cause) {
    throw new KeelsonError('BUNDLE', `${place}: is no delta that this keelson reads`, {
      cause,
      hint: 'make it again with `keelson bundle diff`',
    });
  }
}

export function renderDeltaHead({ base, baseVersion, omitted }: DeltaHead): Buffer {
  const head = { formatVersion: 1, base, baseVersion, omitted: [...omitted].sort() };
  return Buffer.from(`${JSON.stringify(head)}\n`);
}
