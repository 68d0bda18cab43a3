/* The form of a pilot as values, and the spec it stands for. Pure. */
import type { Schemas } from '../../api/client';
import type { Spec as TopologySpec } from '../topologies/links';
import { freshTimetable, timetableDraftOf, timetableOf, type TimetableDraft } from './timetableDraft';

type PilotSpec = Schemas['PilotSpec'];
type Assumptions = Schemas['Assumptions-Input'];
export const NUMBERS = ['float32', 'float16', 'bfloat16', 'int8'] as const;
export type Numbers = (typeof NUMBERS)[number];
/** How models are packed on their way: what a difference saves it saves compressed. */
export const PACKINGS = ['plain', 'compressed', 'deltas'] as const;
export type Packing = (typeof PACKINGS)[number];
/** With what an arm ends: training, one more merge, or a merge and a head in closed form. */
export const ENDINGS = ['training', 'merge', 'head'] as const;
export type Ending = (typeof ENDINGS)[number];
export const MODELS = ['mlp', 'cnn', 'resnet20', 'resnet50', 'vgg16_bn', 'vit', 'cnn1d'] as const;
export type Model = (typeof MODELS)[number];
/** Whether a model can take rows of this shape, by the number of its axes: features; channels and length; channels, height and width. */
export function takesRows(model: Model, shape: readonly number[]): boolean {
  if (model === 'mlp') return true;
  return shape.length === (model === 'cnn1d' ? 2 : 3);
}
/** Of a vision transformer, in the order in which they are asked. */
export const VIT_SETTINGS = ['patch', 'dim', 'depth', 'heads'] as const;
export const SILENT = ['wait', 'skip', 'stop'] as const;
export type Silent = (typeof SILENT)[number];
/** Minutes that a run waits where nothing else is said: a week, or an hour. */
export const waitsFor = (policy: Silent) => (policy === 'wait' ? 7 * 24 * 60 : 60);
export type Method = Schemas['ArmSpec']['method'];

export interface ArmDraft {
  /** Stays while the name is typed. */
  key: string;
  /** What the form does not show of a stored arm stays, whatever it is called now. */
  stored?: Schemas['ArmSpec'];
  name: string;
  method: Method;
  mergeEvery: number;
  over: 'neighbours' | 'tree';
  ending: Ending;
}
export interface MoneyDraft {
  currency: string;
  decisions: number;
  low: string;
  likely: string;
  high: string;
  oneOff: string;
  running: string;
  cpuHour: string;
  gpuHour: string;
  gb: string;
  roundDays: string;
  basis: '' | 'own_site' | 'all_site' | 'blend';
  /** Somebody said that these are figures of their own; until then they are examples. */
  ours: boolean;
  /** The stored share of own-site value, where the pilot has one; the form can keep it, not change it. */
  blend: string | null;
}
/** How sites come to their rows. */
export const PARTITIONS = ['dirichlet', 'iid', 'shards', 'column'] as const;
/** How far conditions differ between sites. */
export interface Strengths {
  rotation: number;
  contrast: number;
  brightness: number;
  noise: number;
}
export interface PilotDraft {
  name: string;
  title: string;
  sites: readonly string[];
  /** Those of the sites that take no part at first, and may join by an amendment. */
  waiting: readonly string[];
  partition: (typeof PARTITIONS)[number];
  alpha: number;
  classesPerSite: number;
  column: string;
  shift: 'none' | 'conditions';
  strengths: Strengths;
  rowsPerSite: number;
  model: Model;
  hidden: string;
  width: number;
  widthFactor: number;
  patch: number;
  dim: number;
  depth: number;
  heads: number;
  init: 'different' | 'common';
  loss: 'cross_entropy' | 'balanced_softmax';
  keepMomentum: boolean;
  /** Epochs without a better loss on validation rows before training ends; 0: it goes on to its end. */
  patience: number;
  classWeights: 'none' | 'balanced';
  /** Whether each site also trains a model alone, and asks both for its own cases. */
  ownModel: boolean;
  /** What becomes of a run that waits for a silent site, and after how many minutes; 0 with `wait`: never. */
  silent: Silent;
  silentMinutes: number;
  timetable: TimetableDraft;
  numbers: Numbers;
  packing: Packing;
  rounds: number;
  epochs: number;
  seeds: string;
  arms: readonly ArmDraft[];
  withMoney: boolean;
  money: MoneyDraft;
}

export const EXAMPLE_MONEY: MoneyDraft = {
  currency: 'JPY',
  decisions: 100_000,
  low: '1',
  likely: '3',
  high: '6',
  oneOff: '500000',
  running: '5000',
  cpuHour: '10',
  gpuHour: '300',
  gb: '15',
  roundDays: '7',
  basis: 'own_site',
  ours: false,
  blend: null,
};

/** How far conditions may differ to begin with; only images can be turned. */
export const STRENGTHS: Strengths = { rotation: 50, contrast: 1.5, brightness: 0.3, noise: 0.8 };

export function freshDraft(): PilotDraft {
  return {
    name: '',
    title: '',
    sites: [],
    waiting: [],
    partition: 'dirichlet',
    alpha: 0.5,
    classesPerSite: 2,
    column: '',
    shift: 'none',
    strengths: STRENGTHS,
    rowsPerSite: 500,
    model: 'mlp',
    hidden: '128, 128',
    width: 16,
    widthFactor: 1,
    patch: 4,
    dim: 64,
    depth: 4,
    heads: 4,
    init: 'different',
    loss: 'cross_entropy',
    keepMomentum: false,
    patience: 0,
    classWeights: 'none',
    ownModel: false,
    silent: 'wait',
    silentMinutes: waitsFor('wait'),
    timetable: freshTimetable(),
    numbers: 'float32',
    packing: 'plain',
    rounds: 8,
    epochs: 1,
    seeds: '1',
    arms: (['local_only', 'plain_average', 'dimat', 'common_basis', 'regmean'] as const).map((method) => ({
      key: method,
      name: method,
      method,
      mergeEvery: 1,
      // What the study recommends: fewer bytes than over all links, and on sparse graphs more accurate.
      over: method === 'regmean' ? ('tree' as const) : ('neighbours' as const),
      ending: 'training' as const,
    })),
    withMoney: true,
    money: EXAMPLE_MONEY,
  };
}

/** A name that is free unless someone else begins a pilot in the same second: "pilot-20261124-183005". */
export function suggestedName(now: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const day = `${now.getFullYear()}${two(now.getMonth() + 1)}${two(now.getDate())}`;
  return `pilot-${day}-${two(now.getHours())}${two(now.getMinutes())}${two(now.getSeconds())}`;
}

/** The form of a stored draft. What the form does not show is kept by `specOf(..., base)`. */
export function draftOf(pilot: Schemas['Pilot']): PilotDraft {
  const { spec, assumptions } = pilot;
  const fresh = freshDraft();
  const partition = spec.data?.partition;
  const shift = spec.data?.shift;
  return {
    ...fresh,
    name: spec.name,
    title: pilot.title ?? spec.title ?? '',
    sites: spec.sites.map((site) => site.name),
    waiting: spec.waiting ?? [],
    partition: partition?.kind ?? fresh.partition,
    alpha: partition?.kind === 'dirichlet' ? (partition.alpha ?? fresh.alpha) : fresh.alpha,
    classesPerSite: partition?.kind === 'shards' ? (partition.classes_per_site ?? 2) : fresh.classesPerSite,
    column: partition?.kind === 'column' ? partition.column : fresh.column,
    shift: shift?.kind ?? fresh.shift,
    strengths: shift?.kind === 'conditions' ? strengthsOf(shift) : fresh.strengths,
    rowsPerSite: spec.data?.rows_per_site ?? fresh.rowsPerSite,
    ...shownOf(spec.model),
    init: spec.train?.init ?? fresh.init,
    // No sample data set has numbers as targets, for which `mse` would be.
    loss: spec.train?.loss === 'mse' ? fresh.loss : (spec.train?.loss ?? fresh.loss),
    keepMomentum: spec.train?.keep_momentum ?? fresh.keepMomentum,
    patience: spec.train?.patience ?? fresh.patience,
    classWeights: spec.train?.class_weights ?? fresh.classWeights,
    ownModel: spec.train?.own_model ?? fresh.ownModel,
    ...silentOf(spec.silent),
    timetable: timetableDraftOf(spec.timetable),
    numbers: spec.merge?.wire?.numbers ?? fresh.numbers,
    packing: packingOf(spec.merge?.wire),
    rounds: spec.rounds,
    epochs: spec.train?.epochs ?? fresh.epochs,
    seeds: (spec.seeds ?? [1]).join(', '),
    arms: spec.arms.map((arm) => ({
      key: arm.name,
      stored: arm,
      name: arm.name,
      method: arm.method,
      mergeEvery: arm.merge?.merge_every ?? spec.merge?.merge_every ?? 1,
      over: arm.merge?.over ?? spec.merge?.over ?? 'neighbours',
      ending: endingOf({ ...spec.merge, ...given(arm.merge) }),
    })),
    withMoney: assumptions !== null,
    money: assumptions === null ? EXAMPLE_MONEY : moneyDraftOf(assumptions),
  };
}

/** The spec of a draft; `base`: a stored spec whose other settings stay as they are. */
export function specOf(
  draft: PilotDraft,
  sites: readonly Schemas['Site'][],
  topology: TopologySpec,
  base?: PilotSpec,
): PilotSpec {
  const byName = new Map(sites.map((site) => [site.name, site]));
  const stored = new Map(base?.sites.map((site) => [site.name, site]));
  return {
    ...base,
    name: draft.name,
    title: draft.title,
    sites: draft.sites.flatMap((name) => {
      const site = byName.get(name) ?? stored.get(name);
      return site ? [{ name, display_name: site.display_name ?? '', data: site.data }] : [];
    }),
    waiting: waitingOf(draft),
    topology,
    data: {
      ...base?.data,
      partition: partitionOf(draft),
      rows_per_site: draft.rowsPerSite,
      shift: draft.shift === 'none' ? { kind: 'none' } : { kind: 'conditions', ...draft.strengths },
    },
    model: modelOf(draft),
    train: {
      ...base?.train,
      init: draft.init,
      epochs: draft.epochs,
      loss: draft.loss,
      keep_momentum: draft.keepMomentum,
      patience: draft.patience || null,
      class_weights: draft.classWeights,
      own_model: draft.ownModel,
    },
    merge: { ...base?.merge, wire: wireOf(draft) },
    silent: {
      policy: draft.silent,
      limit_s: draft.silent === 'wait' && !draft.silentMinutes ? null : Math.round(draft.silentMinutes * 60),
    },
    timetable: timetableOf(draft.timetable),
    rounds: draft.rounds,
    seeds: wholeNumbers(draft.seeds),
    arms: draft.arms.map((arm) => ({
      ...arm.stored,
      name: arm.name,
      method: arm.method,
      merge:
        arm.method === 'local_only'
          ? null
          : {
              ...arm.stored?.merge,
              merge_every: arm.mergeEvery,
              over: arm.over,
              final_merge: arm.ending === 'merge',
              ridge_head: arm.ending === 'head',
            },
    })),
  };
}

/** Who waits, of the sites that the pilot has. */
export function waitingOf({ sites, waiting }: Pick<PilotDraft, 'sites' | 'waiting'>): string[] {
  return waiting.filter((name) => sites.includes(name));
}

/** What is set; null means "as the pilot". */
export function given<T extends object>(patch: T | null | undefined): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(
    Object.entries(patch ?? {}).filter(([, value]) => value !== null && value !== undefined),
  ) as { [K in keyof T]?: NonNullable<T[K]> };
}

export function silentOf(spec: PilotSpec['silent']): Pick<PilotDraft, 'silent' | 'silentMinutes'> {
  const silent = spec?.policy ?? 'wait';
  const limit_s = spec?.limit_s;
  return { silent, silentMinutes: limit_s === undefined ? waitsFor(silent) : (limit_s ?? 0) / 60 };
}

export function packingOf(wire: Schemas['WireSpec'] | undefined): Packing {
  if (wire?.deltas) return 'deltas';
  return wire?.compress ? 'compressed' : 'plain';
}

function wireOf({ numbers, packing }: PilotDraft): Schemas['WireSpec'] {
  return { numbers, compress: packing !== 'plain', deltas: packing === 'deltas' };
}

function endingOf(merge: Partial<Schemas['MergeSpec']>): Ending {
  if (merge.ridge_head) return 'head';
  return merge.final_merge ? 'merge' : 'training';
}

/** Money as the API takes it. */
export function assumptionsOf(draft: PilotDraft): Assumptions | null {
  if (!draft.withMoney) return null;
  const { money } = draft;
  return {
    currency: money.currency.trim().toUpperCase(),
    decisions_per_site_per_round: money.decisions,
    value_per_correct_decision: { low: money.low, likely: money.likely, high: money.high },
    one_off_cost: money.oneOff,
    running_cost_per_site_per_round: money.running,
    cost_per_cpu_hour: money.cpuHour,
    cost_per_gpu_hour: money.gpuHour,
    cost_per_gb: money.gb,
    round_days: money.roundDays,
    value_basis: basisOf(money),
    example: !money.ours,
  };
}

function basisOf(money: MoneyDraft): Assumptions['value_basis'] {
  if (money.basis === 'blend') return { blend: money.blend ?? '' };
  return money.basis === '' ? ('' as 'own_site') : money.basis;
}

/** "1, 2 3" -> [1, 2, 3]; what is no number is sent as it is, so that the server names it. */
export function wholeNumbers(text: string): number[] {
  return text
    .split(/[\s,、，]+/)
    .filter((part) => part !== '')
    .map((part) => (Number.isNaN(Number(part)) ? (part as unknown as number) : Number(part)));
}

/** Which setting a model has beside its kind: of the channels, their number or a factor. */
export function widthOf(model: Model): 'width' | 'widthFactor' | null {
  if (model === 'cnn' || model === 'cnn1d') return 'width';
  return model === 'mlp' || model === 'vit' ? null : 'widthFactor';
}

function modelOf(draft: PilotDraft): NonNullable<PilotSpec['model']> {
  const { model: kind, patch, dim, depth, heads } = draft;
  if (kind === 'mlp') return { kind, hidden: wholeNumbers(draft.hidden) };
  if (kind === 'vit') return { kind, patch, dim, depth, heads };
  return { kind, width: draft[kind === 'cnn' || kind === 'cnn1d' ? 'width' : 'widthFactor'] };
}

/** What the form shows of a stored model. */
function shownOf(model: PilotSpec['model']): Partial<PilotDraft> {
  if (!model) return {};
  if (model.kind === 'mlp') return { model: model.kind, hidden: (model.hidden ?? [128, 128]).join(', ') };
  if (model.kind !== 'vit')
    return { model: model.kind, ...given({ [widthOf(model.kind) ?? '']: model.width }) };
  const { kind, patch, dim, depth, heads } = model;
  return { model: kind, ...given({ patch, dim, depth, heads }) };
}

function partitionOf(draft: PilotDraft): NonNullable<Schemas['DataSpec']['partition']> {
  if (draft.partition === 'iid') return { kind: 'iid' };
  if (draft.partition === 'shards') return { kind: 'shards', classes_per_site: draft.classesPerSite };
  if (draft.partition === 'column') return { kind: 'column', column: draft.column };
  return { kind: 'dirichlet', alpha: draft.alpha };
}

/** What a stored shift sets; what it leaves out is as the server would set it. */
export function strengthsOf(shift: Schemas['ConditionShift']): Strengths {
  return {
    rotation: shift.rotation ?? STRENGTHS.rotation,
    contrast: shift.contrast ?? STRENGTHS.contrast,
    brightness: shift.brightness ?? STRENGTHS.brightness,
    noise: shift.noise ?? STRENGTHS.noise,
  };
}

function moneyDraftOf(given: Schemas['Assumptions-Output']): MoneyDraft {
  return {
    currency: given.currency,
    decisions: given.decisions_per_site_per_round,
    low: plain(given.value_per_correct_decision.low),
    likely: plain(given.value_per_correct_decision.likely),
    high: plain(given.value_per_correct_decision.high),
    oneOff: plain(given.one_off_cost),
    running: plain(given.running_cost_per_site_per_round),
    cpuHour: plain(given.cost_per_cpu_hour),
    gpuHour: plain(given.cost_per_gpu_hour),
    gb: plain(given.cost_per_gb),
    roundDays: plain(given.round_days),
    ours: !given.example,
    ...(typeof given.value_basis === 'string'
      ? { basis: given.value_basis, blend: null }
      : { basis: 'blend', blend: String(given.value_basis.blend) }),
  };
}

/** '1.0' -> '1': the same amount, written as people type it; '1.0E+10' -> '10000000000'. */
function plain(amount: string): string {
  if (/e/i.test(amount)) {
    return Number(amount).toLocaleString('en', { useGrouping: false, maximumFractionDigits: 4 });
  }
  return amount.includes('.') ? amount.replace(/\.?0+$/, '') : amount;
}
