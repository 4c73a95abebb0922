import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { bothOutcomes, type Scenario } from './dry-run.js';
import { arbitraryScenario } from './manifest-arbitraries.js';
import { MANIFEST_SCENARIOS } from './manifest-scenarios.js';
import { kubeadmAvailable, ORACLE_VERSIONS } from './oracle.js';

/** ConfigMaps' texts as they are read, so that two ways to quote a string are no difference. */
function parsedTexts(objects: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(objects).map(([name, object]) => {
      const { data, ...rest } = object as { data?: Record<string, string> };
      if (data === undefined || name.endsWith('/coredns')) return [name, object];
      const texts = Object.entries(data).map(([key, text]) => [key, parse(text)]);
      return [name, { ...rest, data: Object.fromEntries(texts) }];
    }),
  );
}

describe.each(ORACLE_VERSIONS)('manifests and objects beside kubeadm %s', (version) => {
  const test = it.skipIf(!kubeadmAvailable(version));

  for (const [name, { versions, ...scenario }] of Object.entries(MANIFEST_SCENARIOS)) {
    if (versions !== undefined && !versions.includes(version)) continue;
    test(`equal kubeadm's with ${name}, ConfigMaps to the byte`, async () => {
      const { ours, kubeadms } = await bothOutcomes(version, scenario);
      expect(ours.files).toEqual(kubeadms.files);
      expect(ours.objects).toEqual(kubeadms.objects);
    });
  }

  test("equal kubeadm's for 200 random configurations", async () => {
    const property = fc.asyncProperty(arbitraryScenario, async (scenario: Scenario) => {
      const { ours, kubeadms } = await bothOutcomes(version, scenario);
      expect(ours.files).toEqual(kubeadms.files);
      expect(parsedTexts(ours.objects)).toEqual(parsedTexts(kubeadms.objects));
    });
    await fc.assert(property, { numRuns: 200 });
  });
});
