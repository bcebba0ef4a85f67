@echo off
rem run.cmd demo, run.cmd test: see run.py
setlocal
where py >nul 2>nul && (py -3 "%~dp0run.py" %* & exit /b)
where python >nul 2>nul && (python "%~dp0run.py" %* & exit /b)
echo run: Python 3.11 to 3.14 is needed, from https://www.python.org or the Microsoft Store.
exit /b 1
