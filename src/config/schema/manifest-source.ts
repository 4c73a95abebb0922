import * as z from 'zod';
import { type Check, required } from './common.js';

const checkDigest: Check = (value) =>
  /^[0-9a-f]{64}$/.test(value) ? undefined : 'no SHA-256: 64 hexadecimal digits in lower case';

const checkUrl: Check = (value) =>
  URL.canParse(value) && ['https:', 'http:'].includes(new URL(value).protocol)
    ? undefined
    : `"${value}" is no URL; write https://…`;

/** Where Kubernetes manifests come from; a rule sees to it that it is one or the other. */
export const manifestSource = z.strictObject({
  file: required(() => undefined)
    .optional()
    .describe('File, or directory with .yaml, .yml and .json files, on the machine where keelson runs.'),
  url: required(checkUrl).optional().describe('URL; needs sha256.'),
  sha256: required(checkDigest).optional().describe('SHA-256 of what is at the URL.'),
});
