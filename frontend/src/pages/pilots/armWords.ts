/* What sets an arm apart from the pilot's settings, as keys of the catalogue and their params. Pure. */
import type { Schemas } from '../../api/client';
import { given, packingOf, type Method } from './pilotDraft';

type Spec = Schemas['PilotSpec'];
type Arm = Schemas['ArmSpec'];
export interface Word {
  key: string;
  params?: Record<string, string | number>;
}

/** Methods whose merge can take in all sites: `parts.SUMMED_METHODS`, less the one that always does. */
export const SUMMED: readonly Method[] = [
  'plain_average',
  'common_basis',
  'slowmo',
  'fisher',
  'regmean',
  'ridge_head',
];

/** `parts.WARM_METHODS`. */
const WARM: readonly Method[] = ['dimat_guarded', 'weight_matching'];

/** Methods with which features mean the same at every site, so that they can be added up. */
export function canEndWithHead(method: Method): boolean {
  return method === 'federated_average' || SUMMED.includes(method);
}

export function armWords(arm: Arm, spec: Spec): Word[] {
  if (arm.method === 'local_only') return trainWords(arm);
  const merge = { ...spec.merge, ...given(arm.merge) };
  const every = merge.merge_every ?? 1;
  return [
    ...(every > 1 ? [{ key: 'ui.arm_set.every', params: { rounds: every } }] : []),
    ...(merge.over === 'tree' && SUMMED.includes(arm.method) ? [{ key: 'ui.arm_set.over_tree' }] : []),
    ...(arm.topology ? [{ key: 'ui.arm_set.topology', params: { kind: arm.topology.kind ?? 'full' } }] : []),
    ...(merge.final_merge ? [{ key: 'ui.arm_set.final_merge' }] : []),
    ...(merge.ridge_head ? [{ key: 'ui.arm_set.ridge_head' }] : []),
    ...(arm.method === 'dimat_guarded'
      ? [{ key: 'ui.arm_set.guard', params: { value: String(merge.guard ?? 0.2) } }]
      : []),
    ...(merge.warm_start && WARM.includes(arm.method) ? [{ key: 'ui.arm_set.warm_start' }] : []),
    ...(arm.merge?.align === false ? [{ key: 'ui.arm_set.not_aligned' }] : []),
    ...(arm.merge?.wire
      ? [{ key: 'ui.arm_set.numbers', params: { value: arm.merge.wire.numbers ?? 'float32' } }]
      : []),
    ...(arm.merge?.wire && packingOf(arm.merge.wire) !== 'plain'
      ? [{ key: `ui.arm_set.${packingOf(arm.merge.wire)}` }]
      : []),
    ...numbers(arm),
    ...trainWords(arm),
  ];
}

/** By its place in the spec what a pilot is changed in most while it runs; several values where arms merge at different intervals. */
export function ofEachRound(spec: Pick<Spec, 'arms' | 'train' | 'merge'>): [string, number[]][] {
  const merging = spec.arms.filter(({ method }) => method !== 'local_only');
  const every = merging.map(({ merge }) => merge?.merge_every ?? spec.merge?.merge_every ?? 1);
  return [
    ['train.epochs', [spec.train?.epochs ?? 1]],
    ['train.lr', [spec.train?.lr ?? 0.02]],
    ...(every.length > 0
      ? [['merge.merge_every', [...new Set(every)].sort((a, b) => a - b)] as [string, number[]]]
      : []),
  ];
}

/** Arms whose sites answer their own cases with a model trained alone, too: their own-site accuracy is that of both together. */
export function withOwnModel(spec: Pick<Spec, 'arms' | 'train'>): string[] {
  return spec.arms
    .filter((arm) => arm.method !== 'local_only' && (arm.train?.own_model ?? spec.train?.own_model))
    .map((arm) => arm.name);
}

const NUMBERS = ['off_diagonal', 'ridge', 'slow_momentum'] as const;

function numbers(arm: Arm): Word[] {
  return NUMBERS.flatMap((name) => {
    const value = arm.merge?.[name];
    return value === null || value === undefined
      ? []
      : [{ key: `ui.arm_set.${name}`, params: { value: String(value) } }];
  });
}

function trainWords(arm: Arm): Word[] {
  const train = given(arm.train);
  const words: Word[] = [];
  if (train.loss !== undefined) words.push({ key: `ui.new.loss_${train.loss}` });
  if (train.keep_momentum !== undefined) {
    words.push({ key: `ui.arm_set.momentum_${train.keep_momentum ? 'kept' : 'fresh'}` });
  }
  if (train.class_weights !== undefined) {
    words.push({ key: `ui.arm_set.class_weights_${train.class_weights}` });
  }
  if (train.own_model !== undefined) {
    words.push({ key: `ui.arm_set.own_model_${train.own_model ? 'yes' : 'no'}` });
  }
  if (train.patience !== undefined) {
    words.push(
      train.patience === 0
        ? { key: 'ui.arm_set.patience_none' }
        : { key: 'ui.arm_set.patience', params: { epochs: train.patience } },
    );
  }
  for (const name of ['epochs', 'lr', 'batch_size', 'momentum', 'weight_decay', 'grad_clip'] as const) {
    const value = train[name];
    if (value !== undefined) words.push({ key: `ui.arm_set.${name}`, params: { value: String(value) } });
  }
  return words;
}
