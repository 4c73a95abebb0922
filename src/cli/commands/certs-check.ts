import { exitCodeOf, KeelsonError } from '../../errors/keelson-error.js';
import { certificatesMetrics, certificatesText } from '../../report/certificates-text.js';
import { certificateSurvey } from '../../workflows/certs/check.js';
import { CLUSTER_OPTIONS, withSession } from '../cluster-options.js';
import { defineCommand } from '../command.js';

/** Exit code where something is wrong or near its end, the same as that of a failed verify. */
const WRONG = exitCodeOf(new KeelsonError('VERIFY', 'something is wrong with the certificates'));

export const command = defineCommand({
  name: 'certs check',
  summary: 'every certificate of the cluster, and what is wrong with it',
  details: `Looks at the files of all hosts, at what running programs present, and at trust bundles in the API. Works while
the API does not answer and when everything has expired. Reads only; no key is ever shown.
Exits 0 where nothing is wrong or near its end, else ${WRONG}. -o wide shows trust bundles, keys, serials and names too,
-o prometheus gives metrics.`,
  outputs: ['prometheus'],
  options: {
    ...CLUSTER_OPTIONS,
    warnDays: {
      flags: '--warn-days <days>',
      description: 'warn of certificates that end within so many days',
      kind: 'number',
      default: 30,
    },
  },
  run: async ({ options, io, global }) =>
    withSession(
      { options, io, global },
      async ({ session }) => {
        const survey = await certificateSurvey(session, { warnDays: options.warnDays });
        const text =
          global.output === 'prometheus'
            ? certificatesMetrics(survey, survey.at)
            : certificatesText(survey, global.output === 'wide');
        return { data: survey, text, exitCode: survey.problems === 0 ? 0 : WRONG };
      },
      { quiet: true, bundleOptional: true, tolerant: true },
    ),
});
