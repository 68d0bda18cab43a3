/* What a person may ask of all live runs of a pilot at once. */
import { Button, Menu } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { http, type Schemas } from '../../api/client';
import { useMay, useRefresh } from '../../api/session';
import { Icon, type IconName } from '../../components/Icon';
import { useConfirm } from '../../components/useConfirm';
import { WhyField } from '../../components/WhyField';
import { asksOf, type Ask } from './pilotState';

const ICONS: Readonly<Record<Ask, IconName>> = { pause: 'pause', resume: 'run', cancel: 'stop' };

export function PilotRunsMenu({ pilot }: { pilot: Schemas['Pilot'] }) {
  const { t } = useTranslation();
  const refresh = useRefresh();
  const may = { pause: useMay('runs.pause'), resume: useMay('runs.pause'), cancel: useMay('runs.cancel') };
  const confirm = useConfirm();
  const why = useRef('');
  const possible = asksOf(pilot).filter((ask) => may[ask]);
  if (possible.length === 0) return null;
  const act = async (ask: Ask) => {
    const asked = { params: { path: { pilot_id: pilot.id } }, body: { why: why.current || null } };
    const { data, error } =
      ask === 'pause'
        ? await http.POST('/api/v1/pilots/{pilot_id}/pause', asked)
        : ask === 'resume'
          ? await http.POST('/api/v1/pilots/{pilot_id}/resume', asked)
          : await http.POST('/api/v1/pilots/{pilot_id}/cancel', asked);
    if (!data) throw error;
    notifications.show({ message: t(`ui.pilot.${ask}_asked`, { runs: data.num_runs }) });
    refresh('/api/v1/pilots', '/api/v1/runs');
  };
  const open = (ask: Ask) => {
    why.current = '';
    confirm.ask({
      title: t(`ui.pilot.${ask}_all`),
      body: (
        <div className="aw-stack">
          <p className="aw-first">{t(`ui.pilot.${ask}_all_text`)}</p>
          <WhyField onChange={(said) => (why.current = said)} />
        </div>
      ),
      action: t(`ui.pilot.${ask}_all`),
      danger: ask === 'cancel',
      act: () => act(ask),
    });
  };
  return (
    <>
      {confirm.dialog}
      <Menu position="bottom-end">
        <Menu.Target>
          <Button variant="default" rightSection={<Icon name="down" size={16} />}>
            {t('ui.pilot.all_runs')}
          </Button>
        </Menu.Target>
        <Menu.Dropdown>
          {possible.map((ask) => (
            <Menu.Item key={ask} leftSection={<Icon name={ICONS[ask]} />} onClick={() => open(ask)}>
              {t(`ui.pilot.${ask}_all`)}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
    </>
  );
}
