"""What happens in one viewer: the job that runs, the queue, the record and the console."""
