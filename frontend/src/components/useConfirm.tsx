/* Asks before something that cannot be undone, in a dialog that names what will happen. */
import { Button, Group, Modal } from '@mantine/core';
import { useState, type ReactNode } from 'react';
import { useTranslation } from 'react-i18next';
import { ProblemNote } from './Answer';

interface Question {
  title: string;
  body: ReactNode;
  action: string;
  danger?: boolean;
  act: () => Promise<unknown>;
  /** The dialog was left without acting. */
  cancelled?: () => void;
}

export function useConfirm(): { ask: (question: Question) => void; dialog: ReactNode } {
  const { t } = useTranslation();
  const [question, setQuestion] = useState<Question | null>(null);
  const [open, setOpen] = useState(false);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  const ask = (next: Question) => {
    setError(null);
    setQuestion(next);
    setOpen(true);
  };
  const leave = () => {
    setOpen(false);
    question?.cancelled?.();
  };
  const act = async () => {
    if (!question) return;
    setBusy(true);
    setError(null);
    try {
      await question.act();
      setOpen(false);
    } catch (problem) {
      setError(problem);
    } finally {
      setBusy(false);
    }
  };
  const dialog = (
    <Modal
      opened={open}
      onClose={leave}
      title={question?.title}
      closeButtonProps={{ 'aria-label': t('ui.close') }}
    >
      <div className="aw-stack">
        <div>{question?.body}</div>
        {error ? <ProblemNote error={error} /> : null}
        <Group justify="flex-end">
          <Button variant="default" onClick={leave}>
            {t('ui.back')}
          </Button>
          <Button
            className={question?.danger ? 'aw-danger' : undefined}
            loading={busy}
            onClick={() => void act()}
          >
            {question?.action}
          </Button>
        </Group>
      </div>
    </Modal>
  );
  return { ask, dialog };
}
