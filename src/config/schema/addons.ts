import * as z from 'zod';
import { checkDnsName, duration, required } from './common.js';
import { objectSource } from './manifest-source.js';

/** What runs in the cluster beside Kubernetes and its network. */
export const addons = z
  .array(
    z.strictObject({
      name: required(checkDnsName).describe(
        'Unique among the add-ons; what is made for it is remembered under it.',
      ),
      manifests: z.array(objectSource).min(1).describe('What is applied, in this order.'),
      needs: z
        .array(required(checkDnsName))
        .optional()
        .describe('Add-ons that have to be ready before it is applied; default none.'),
      wait: duration(
        'So long its Deployments, StatefulSets, DaemonSets, Jobs and CustomResourceDefinitions have until they are ready; 0s: they are not waited for. Default 5m0s.',
      ).optional(),
    }),
  )
  .describe('Add-ons: objects of yours that keelson holds to these manifests, and removes with their entry.');
