import {
  hostTools,
  installCommand,
  MANAGER_PROBE,
  MISSING_TOOLS_PROBE,
  managerOf,
  missingTools,
} from '../host-tools.js';
import { defineCheck, error, type Outcome, ok, said, warning } from './check.js';

export const tools = defineCheck({
  id: 'tools',
  probes: () => ({ missing: MISSING_TOOLS_PROBE, manager: MANAGER_PROBE }),
  judge: (subject) => {
    const { config } = subject;
    const wanted = hostTools(config.cluster.kubernetesVersion).filter(({ severity }) => severity !== null);
    const missing = new Set(missingTools(wanted, said(subject, 'missing')));
    const manager = managerOf(said(subject, 'manager'));
    return wanted.map((entry): Outcome => {
      const name = `FileExisting-${entry.command}`;
      if (!missing.has(entry))
        return ok(
          name,
          `${entry.command} is there${entry.substitute === undefined ? '' : `, or ${entry.substitute}`}`,
        );
      const packages = manager === null ? [] : [entry.packages[manager]];
      if (config.spec.preparation.packages === 'install' && manager !== null)
        return ok(name, `${entry.command} comes with the package ${packages.join('')}`);
      const remedy = manager === null ? `install ${entry.command}` : installCommand(manager, packages);
      const say = entry.severity === 'error' ? error : warning;
      return say(name, `${entry.command} is not in the path: ${entry.why}`, remedy);
    });
  },
});
