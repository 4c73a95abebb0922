import { describe, expect, it } from 'vitest';
import {
  deprecatedApiFindings,
  deprecatedApisIn,
} from '../../../../src/workflows/upgrade/deprecated-apis.js';

// Lines of a kube-apiserver v1.36.3's /metrics.
const METRICS = `# HELP apiserver_requested_deprecated_apis [STABLE] Gauge of deprecated APIs that have been requested
# TYPE apiserver_requested_deprecated_apis gauge
apiserver_requested_deprecated_apis{group="",removed_release="",resource="endpoints",subresource="",version="v1"} 1
apiserver_requested_deprecated_apis{group="storage.k8s.io",removed_release="1.37",resource="volumeattributesclasses",subresource="",version="v1beta1"} 1
apiserver_requested_deprecated_apis{group="a.io",removed_release="1.36",resource="things",subresource="status",version="v1alpha1"} 1
`;

describe('deprecatedApisIn', () => {
  it('takes the APIs whose end is known', () => {
    expect(deprecatedApisIn(METRICS)).toEqual([
      {
        apiVersion: 'storage.k8s.io/v1beta1',
        resource: 'volumeattributesclasses',
        removedRelease: '1.37',
      },
      { apiVersion: 'a.io/v1alpha1', resource: 'things', removedRelease: '1.36' },
    ]);
  });
});

describe('deprecatedApiFindings', () => {
  it('is an error where the target has the API no more, a warning before, and says each once', () => {
    const apis = deprecatedApisIn(METRICS);
    const found = deprecatedApiFindings(
      new Map([
        ['cp1', apis],
        ['cp2', apis],
      ]),
      'v1.36.3',
    );
    expect(found.map(({ severity, host }) => `${severity} ${host}`)).toEqual(['warning cp1', 'error cp1']);
  });
});
