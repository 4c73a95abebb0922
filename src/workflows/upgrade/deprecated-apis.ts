import { KeelsonError } from '../../errors/keelson-error.js';
import { error, type Finding, warning } from '../../phases/preflight/check.js';
import { compareVersions } from './path.js';

/** A deprecated API that somebody has asked an API server for since it started. */
export interface DeprecatedApi {
  /** `flowcontrol.apiserver.k8s.io/v1beta3`, `v1`. */
  apiVersion: string;
  resource: string;
  /** Minor from which on it is gone, `1.32`. */
  removedRelease: string;
}

/** Those of an API server's metrics whose end is known (apiserver_requested_deprecated_apis). */
export function deprecatedApisIn(metrics: string): DeprecatedApi[] {
  return [...metrics.matchAll(/^apiserver_requested_deprecated_apis\{([^}]*)\} (\S+)$/gm)].flatMap(
    ([, labels = '', value]) => {
      const label = (name: string) => new RegExp(`(?:^|,)${name}="([^"]*)"`).exec(labels)?.[1] ?? '';
      const removedRelease = label('removed_release');
      if (Number(value) === 0 || removedRelease === '') return [];
      const group = label('group');
      const version = label('version');
      return [
        {
          apiVersion: group === '' ? version : `${group}/${version}`,
          resource: label('resource'),
          removedRelease,
        },
      ];
    },
  );
}

/** What a target has against APIs in use: an error where it has them no more. Pure. */
export function deprecatedApiFindings(
  used: ReadonlyMap<string, readonly DeprecatedApi[]>,
  to: string,
): Finding[] {
  const seen = new Set<string>();
  return [...used].flatMap(([host, apis]) =>
    apis.flatMap(({ apiVersion, resource, removedRelease }): Finding[] => {
      const key = `${apiVersion} ${resource}`;
      if (seen.has(key)) return [];
      seen.add(key);
      const gone = compareVersions(to, `v${removedRelease}.0`) >= 0;
      const message = `somebody asks for ${resource} of ${apiVersion}, which Kubernetes has not from v${removedRelease} on`;
      const remedy =
        'find the client in the audit log (annotation k8s.io/deprecated), and move it to the newer version of the API';
      return [{ host, ...(gone ? error : warning)('DeprecatedAPI', message, remedy) }];
    }),
  );
}

/** The text of an API server's metrics. @throws KeelsonError API where it is no text */
export function metricsText(body: unknown): string {
  if (typeof body === 'string') return body;
  throw new KeelsonError('API', 'the metrics of the API server are no text');
}
