/* Restarts a run that has ended or is paused from one of its finished rounds, and goes to the new run. */
import { Button, NumberInput } from '@mantine/core';
import { useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate } from 'react-router';
import { api, http, type Schemas } from '../../api/client';
import { freshKey } from '../../api/freshKey';
import { useMay, useRefresh } from '../../api/session';
import { Icon } from '../../components/Icon';
import { useConfirm } from '../../components/useConfirm';
import { WhyField } from '../../components/WhyField';
import { membersNow } from '../pilots/amended';
import { silentOf } from '../pilots/pilotDraft';
import { useAmendments } from '../pilots/useAmendments';
import { AwaySites } from '../sites/AwaySites';
import { leftOutOfAll, takingPart } from './absent';
import { lastToRestartFrom, mayBeRestarted } from './replaced';

type Run = Schemas['Run'];

export function RestartButton({ run }: { run: Run }) {
  const { t } = useTranslation();
  const go = useNavigate();
  const refresh = useRefresh();
  const may = useMay('runs.restart');
  const { ask, dialog } = useConfirm();
  const wanted = useRef({ round: 0, why: '', key: '' });
  if (!may || !mayBeRestarted(run)) return null;
  const restart = async () => {
    const { data, error } = await http.POST('/api/v1/runs/{run_id}/restart', {
      params: { path: { run_id: run.id }, header: { 'idempotency-key': wanted.current.key } },
      body: { from_round: wanted.current.round, why: wanted.current.why || null },
    });
    if (!data) throw error;
    refresh('/api/v1/runs', '/api/v1/pilots');
    void go(`/runs/${data.id}`);
  };
  const open = () => {
    const last = lastToRestartFrom(run);
    // One key for this question: pressing twice, or again after a lost answer, restarts once.
    wanted.current = { round: last, why: '', key: freshKey() };
    ask({
      title: t('ui.run.restart'),
      body: (
        <div className="aw-stack">
          <p className="aw-first">{t('ui.run.restart_text')}</p>
          {run.state === 'paused' ? <p className="aw-first">{t('ui.run.restart_ends')}</p> : null}
          <StillAway run={run} after={last} />
          <NumberInput
            label={t('ui.run.from_round')}
            description={t('ui.run.from_round_help', { last })}
            min={0}
            max={last}
            allowDecimal={false}
            defaultValue={last}
            onChange={(value) => (wanted.current.round = Number(value))}
          />
          <WhyField onChange={(said) => (wanted.current.why = said)} />
        </div>
      ),
      action: t('ui.run.restart_act'),
      act: restart,
    });
  };
  return (
    <>
      {dialog}
      <Button variant="default" leftSection={<Icon name="undo" size={16} />} onClick={open}>
        {t('ui.run.restart')}
      </Button>
    </>
  );
}

/** Sites that the new run would wait for, as they are away yet: mostly why the run has ended. */
function StillAway({ run, after }: { run: Run; after: number }) {
  const made = useAmendments(run.pilot_id).data?.items ?? [];
  const pilot = api.useQuery('get', '/api/v1/pilots/{pilot_id}', {
    params: { path: { pilot_id: run.pilot_id } },
  }).data;
  if (!pilot) return null;
  const members = membersNow(pilot.spec, made, [{ arm: run.arm, rounds_done: after }]);
  return (
    <AwaySites
      names={members.flat()}
      policy={silentOf(pilot.spec.silent).silent}
      leftOut={leftOutOfAll([run])}
      runs={takingPart([run], members)}
    />
  );
}
