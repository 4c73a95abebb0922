import { cordonCommand } from '../cordon-command.js';

export const command = cordonCommand({
  name: 'node cordon',
  summary: 'no new pods on nodes',
  details: 'Pods that run there stay. keelson node uncordon takes it back.',
  unschedulable: true,
  state: 'cordoned',
});
