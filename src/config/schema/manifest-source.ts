import * as z from 'zod';
import { type Check, checkDnsName, required } from './common.js';

const checkDigest: Check = (value) =>
  /^[0-9a-f]{64}$/.test(value) ? undefined : 'no SHA-256: 64 hexadecimal digits in lower case';

const checkUrl: Check = (value) =>
  URL.canParse(value) && ['https:', 'http:'].includes(new URL(value).protocol)
    ? undefined
    : `"${value}" is no URL; write https://…`;

const checkRepository: Check = (value) => {
  if (!URL.canParse(value) || !['https:', 'http:', 'oci:'].includes(new URL(value).protocol))
    return `"${value}" is no repository of charts; write https://… or oci://…`;
  const { username, password } = new URL(value);
  return username === '' && password === ''
    ? undefined
    : 'no login here; use `helm registry login` for a registry, or fetch the chart and name its file';
};

/** A chart's name becomes an argument and part of a URL. */
const checkChartName: Check = (value) =>
  /^[A-Za-z0-9][\w.-]*$/.test(value) ? undefined : `"${value}" is no name of a chart`;

const checkChartVersion: Check = (value) =>
  /^v?\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?$/.test(value)
    ? undefined
    : `"${value}" is no exact version such as 1.2.3`;

/** A release's name becomes a label's value and part of names. */
const checkRelease: Check = (value) =>
  value.length <= 53 ? checkDnsName(value) : 'the name of a release has at most 53 characters';

const plainSources = {
  file: required(() => undefined)
    .optional()
    .describe('File, or directory with .yaml, .yml and .json files, on the machine where keelson runs.'),
  url: required(checkUrl).optional().describe('URL; needs sha256.'),
  sha256: required(checkDigest).optional().describe('SHA-256 of what is at the URL.'),
};

/** Where Kubernetes manifests come from; a rule sees to it that it is one or the other. */
export const manifestSource = z.strictObject(plainSources);

const chart = z
  .strictObject({
    file: required(() => undefined)
      .optional()
      .describe('Directory or archive of the chart on the machine where keelson runs.'),
    repository: required(checkRepository)
      .optional()
      .describe('Repository of charts, https://… or oci://…; needs name, version and sha256.'),
    name: required(checkChartName).optional().describe('Name of the chart in the repository.'),
    version: required(checkChartVersion).optional().describe('Exact version of the chart.'),
    sha256: required(checkDigest).optional().describe("SHA-256 of the chart's archive."),
    release: required(checkRelease).optional().describe("Name of the release; default the add-on's name."),
    namespace: required(checkDnsName)
      .optional()
      .describe('Namespace of what the chart names none for; made if it is missing. Default `default`.'),
    valuesFiles: z
      .array(required(() => undefined))
      .optional()
      .describe('Files with values, later ones on top.'),
    values: z.record(z.string(), z.unknown()).optional().describe('Values on top of those of the files.'),
    apiVersions: z
      .array(required(() => undefined))
      .optional()
      .describe('API versions beside those of Kubernetes that the chart may count on.'),
  })
  .describe('A Helm chart, rendered on the machine where keelson runs.');

/** Where objects come from: manifests as they are, or what a kustomization or a chart makes of them. */
export const objectSource = z.strictObject({
  ...plainSources,
  kustomize: required(() => undefined)
    .optional()
    .describe('Directory with a kustomization.yaml.'),
  chart: chart.optional(),
});
