/* Makes a draft that goes on with a pilot that has ended, and opens it. */
import { Button, Checkbox } from '@mantine/core';
import { notifications } from '@mantine/notifications';
import { useRef } from 'react';
import { useTranslation } from 'react-i18next';
import { useNavigate } from 'react-router';
import { http, type Schemas } from '../../api/client';
import { useRefresh } from '../../api/session';
import { useConfirm } from '../../components/useConfirm';

export function NextStage({ pilot }: { pilot: Schemas['Pilot'] }) {
  const { t } = useTranslation();
  const go = useNavigate();
  const refresh = useRefresh();
  const { ask, dialog } = useConfirm();
  const withAll = useRef(true);
  const begin = async () => {
    const { data, error } = await http.POST('/api/v1/pilots/{pilot_id}/next-stage', {
      params: { path: { pilot_id: pilot.id } },
      body: withAll.current ? {} : { sites: [] },
    });
    if (!data) throw error;
    const rows = data.spec.data?.rows_per_site;
    const before = pilot.spec.data?.rows_per_site;
    if (rows !== undefined && rows !== before)
      notifications.show({
        message: t('ui.stage.fewer_rows', { rows, before, sites: data.spec.sites.length }),
        autoClose: false,
      });
    refresh('/api/v1/pilots');
    void go(`/pilots/${data.id}/edit`);
  };
  const open = () => {
    withAll.current = true;
    ask({
      title: t('ui.stage.next'),
      body: (
        <div className="aw-stack">
          <p className="aw-first">{t('ui.stage.next_text')}</p>
          <Checkbox
            label={t('ui.stage.all_sites')}
            description={t('ui.stage.all_sites_help')}
            defaultChecked
            onChange={(event) => (withAll.current = event.currentTarget.checked)}
          />
        </div>
      ),
      action: t('ui.stage.make'),
      act: begin,
    });
  };
  return (
    <>
      {dialog}
      <Button variant="default" onClick={open}>
        {t('ui.stage.next')}
      </Button>
    </>
  );
}
